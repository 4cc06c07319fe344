"""Sends requests for the asynchronous client, as `transport` does for the synchronous one."""

from __future__ import annotations

import asyncio
import ssl

import httpx2

from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import Failure, Request, Response
from keybearer.client.http.transport import (
    ERRORS,
    UNUSABLE_PROXY,
    build,
    context_for,
    failure,
    http_options,
    look_closer,
    read,
    unusable_proxy,
)


class AsyncTransport:
    """Sends requests for the asynchronous client."""

    def __init__(self, state: ClientState, context: ssl.SSLContext) -> None:
        self._state = state
        self._context = context
        try:
            self._http = httpx2.AsyncClient(**http_options(context, state.required_site()))
        except UNUSABLE_PROXY as error:
            unusable = unusable_proxy(error)
        else:
            return
        raise unusable

    @classmethod
    async def open(cls, state: ClientState) -> AsyncTransport:
        """Prepare to connect, off the event loop since files are read. Raises what Transport raises."""
        return cls(state, await asyncio.to_thread(context_for, state))

    async def send(self, request: Request) -> Response | Failure:
        """The response, or why there is none."""
        try:
            return read(await self._http.send(build(self._http, request)))
        except ERRORS as error:
            failed = failure(error, self._state)
        look = look_closer(failed, self._state, self._context)
        return await asyncio.to_thread(look) if look else failed

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
