"""Sends requests for the asynchronous client, as `transport` does for the synchronous one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpcore2

from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import Failure, Request, Response
from keybearer.client.http.encoding import Body, decoded, encoded
from keybearer.client.http.transport import ERRORS, UNUSABLE_PROXY, failure, look_closer, pool_options, unusable_proxy


class AsyncTransport:
    """Sends requests for the asynchronous client, in one event loop."""

    def __init__(self, state: ClientState, context: ssl.SSLContext) -> None:
        """Prepare to connect. Raises Unreachable for proxies that cannot be used."""
        self.closed = False
        self._state = state
        self._context = context
        self._users = 0
        self._life = self._until_closed()
        try:
            self._pool = httpcore2.AsyncConnectionPool(**pool_options(context, state.required_site()))
        except UNUSABLE_PROXY as error:
            unusable = unusable_proxy(error)
        else:
            return
        raise unusable

    async def close_with_loop(self) -> None:
        """Close the connections when the event loop ends, since it then ends its asynchronous generators."""
        await anext(self._life)

    async def _until_closed(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self.closed = True
            await self._pool.aclose()

    async def send(self, request: Request) -> Response | Failure:
        """The response, or why there is none."""
        self._users += 1
        try:
            async with self._pool.stream(**encoded(request)) as response, aclosing(response.aiter_stream()) as parts:
                body = Body()
                async for part in parts:
                    body.add(part)
                return decoded(response, body.whole())
        except ERRORS as error:
            failed = failure(error, self._state)
        except BaseException as error:  # noqa: BLE001 - such as Ctrl-C; the frames of httpcore2 have the key
            raise error.with_traceback(None) from None
        finally:
            self._users -= 1
            await self._close_if_unused()
        look = look_closer(failed, self._state, self._context)
        return await asyncio.to_thread(look) if look else failed

    async def aclose(self) -> None:
        """Close the connections, now or after the last request that uses them."""
        self.closed = True
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self.closed and not self._users:
            await self._life.aclose()
