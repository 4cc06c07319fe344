"""One interface to both clients, so that each test runs with both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from itertools import islice
from typing import Any

from keybearer import AsyncClient, Client
from keybearer.client.models.event_queues import Event


class Caller:
    """One of the two clients. Asynchronous calls run in their own event loop."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client
        self._runner = asyncio.Runner() if isinstance(client, AsyncClient) else None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if self._runner is None or not inspect.iscoroutinefunction(method):
            return method
        runner = self._runner
        return lambda *args, **kwargs: runner.run(method(*args, **kwargs))

    def take_events(self, count: int, *args: Any, **kwargs: Any) -> list[Event]:
        """The first `count` events."""
        if isinstance(self.client, Client):
            with self.client.events(*args, **kwargs) as events:
                return list(islice(events, count))
        assert self._runner is not None
        return self._runner.run(_take(self.client, count, args, kwargs))

    def close(self) -> None:
        if isinstance(self.client, Client):
            self.client.close()
        elif self._runner is not None:
            self._runner.run(self.client.aclose())

    def end(self) -> None:
        """Close the client and its event loop."""
        self.close()
        if self._runner is not None:
            self._runner.close()


async def _take(client: AsyncClient, count: int, args: Any, kwargs: Any) -> list[Event]:
    found: list[Event] = []
    async with client.events(*args, **kwargs) as events:
        if count:
            async for event in events:
                found.append(event)
                if len(found) == count:
                    break
    return found


class Opener:
    """Makes callers of one kind, and closes them."""

    def __init__(self, kind: type[Client] | type[AsyncClient]) -> None:
        self.kind = kind
        self._open: list[Caller] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Caller:
        return self.adopt(self.kind(*args, **kwargs))

    def adopt(self, client: Client | AsyncClient) -> Caller:
        caller = Caller(client)
        self._open.append(caller)
        return caller

    def close(self) -> None:
        for caller in self._open:
            caller.end()


def opener(kind: type[Client] | type[AsyncClient]) -> Iterator[Opener]:
    made = Opener(kind)
    try:
        yield made
    finally:
        made.close()
