"""Events to iterate over, synchronously and asynchronously. Both open the queue by the first step, or by `with`, and
close it at the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from keybearer.client.flow.listening import Subscription, listen
from keybearer.client.flow.protocol import perform
from keybearer.client.flow.steps import Deliver
from keybearer.client.models.messages import Event
from keybearer.errors import ClientError

if TYPE_CHECKING:
    from keybearer.client.http.async_runner import AsyncDriver
    from keybearer.client.http.runner import Driver


class EventIterator(Iterator[Event]):
    """Events as they come, for ever."""

    def __init__(self, driver: Driver, subscription: Subscription) -> None:
        self._driver = driver
        self._subscription = subscription
        driver.listening.add(subscription)
        self._events = _generate(driver, subscription)

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> Self:
        if self._subscription.queue is None:
            self._driver.run(self._subscription.open(self._driver.session))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration and close the queue on the server, if that can be reached."""
        self._events.close()
        leave(self._driver, self._subscription)


class AsyncEventIterator(AsyncIterator[Event]):
    """Events as they come, for ever."""

    def __init__(self, driver: AsyncDriver, subscription: Subscription) -> None:
        self._driver = driver
        self._subscription = subscription
        driver.listening.add(subscription)
        self._events = _generate_async(driver, subscription)

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        if self._subscription.queue is None:
            await self._driver.run(self._subscription.open(self._driver.session))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the iteration and close the queue on the server, if that can be reached."""
        await self._events.aclose()
        await leave_async(self._driver, self._subscription)


def _generate(driver: Driver, subscription: Subscription) -> Generator[Event, None, None]:
    """Knows nothing of the iterator, so that it ends at once with an iterator that nobody holds any more."""
    flow = listen(driver.session, subscription)
    try:
        step = next(flow)
        while True:
            if isinstance(step, Deliver):
                yield step.event
                step = next(flow)
            else:
                step = flow.send(driver.take(step))
    finally:
        flow.close()
        leave(driver, subscription)


async def _generate_async(driver: AsyncDriver, subscription: Subscription) -> AsyncGenerator[Event, None]:
    flow = listen(driver.session, subscription)
    try:
        step = next(flow)
        while True:
            if isinstance(step, Deliver):
                yield step.event
                step = next(flow)
            else:
                step = flow.send(await driver.take(step))
    finally:
        flow.close()
        await leave_async(driver, subscription)


def leave(driver: Driver, subscription: Subscription) -> None:
    """Close the queue of a subscription, if it has one and the server can be reached."""
    driver.listening.discard(subscription)
    closing = subscription.leave()
    if closing is not None:
        with contextlib.suppress(ClientError):
            driver.run(perform(driver.session, closing))


async def leave_async(driver: AsyncDriver, subscription: Subscription) -> None:
    """Close the queue of a subscription, if it has one and the server can be reached."""
    driver.listening.discard(subscription)
    closing = subscription.leave()
    if closing is not None:
        with contextlib.suppress(ClientError):
            await driver.run(perform(driver.session, closing))
