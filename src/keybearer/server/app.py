"""The composition root: the only place where the parts are wired together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from functools import partial
from types import FrameType
from typing import Any

from starlette.types import Receive, Scope, Send

from keybearer.server.api import routes
from keybearer.server.api.door import BY_KEY, BY_SESSION, FOR_WEBHOOKS, WireDoor
from keybearer.server.api.messaging import incoming_webhooks
from keybearer.server.api.messaging.files import FilesDoor
from keybearer.server.domain.limits import MOST_CONNECTIONS
from keybearer.server.http.admission import Admitter
from keybearer.server.http.authentication import KeyAuthentication
from keybearer.server.http.front_door import Door, FrontDoor
from keybearer.server.http.health import HealthDoor
from keybearer.server.http.limits import Limits
from keybearer.server.http.shared_limits import SharedWindows
from keybearer.server.metrics import NO_METRICS, PrometheusMetrics
from keybearer.server.services.event_hub import EventHub
from keybearer.server.services.health import Health
from keybearer.server.services.housekeeping import sweep_regularly
from keybearer.server.services.key_uses import UseRecorder
from keybearer.server.services.mail_delivery import MailDelivery
from keybearer.server.services.measurements import measure_regularly
from keybearer.server.services.messaging import upload_contents
from keybearer.server.services.messaging.outgoing_webhooks import OutgoingWebhooks
from keybearer.server.services.refusals import RefusalRecorder
from keybearer.server.services.server_data import opened
from keybearer.server.settings import Settings
from keybearer.server.storage.verification import KeyVerifier
from keybearer.server.web.door import PagesDoor
from keybearer.server.web.rendering import load_templates


class Application:
    """The ASGI application. Its parts are opened when the server starts it and closed when the server stops."""

    def __init__(
        self,
        settings: Settings,
        connections: int = MOST_CONNECTIONS,
        on_started: Callable[[], None] | None = None,
        *,
        loads_templates: bool = False,
    ) -> None:
        """`connections` is how many connections the server in front of it holds. `on_started` is called once it can
        answer. `loads_templates` says whether to load those of pages soon after the start, or when they are used.
        """
        self._settings = settings
        self._connections = connections
        self._on_started = on_started
        self._loads_templates = loads_templates
        self._front_door: FrontDoor | None = None
        self._hub: EventHub | None = None
        self._health: Health | None = None

    # A coroutine function: other servers (uvicorn, hypercorn) detect an application of ASGI 3 this way.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.answer(scope, receive, send)

    def answer(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """The same application for a server that awaits any awaitable: one coroutine less for each request."""
        if scope["type"] == "http":
            assert self._front_door is not None
            return self._front_door(scope, receive, send)
        if scope["type"] == "lifespan":
            return self._lifespan(receive, send)
        raise ValueError(f"an ASGI scope of the type {scope['type']} is not for this application")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The parts, opened first and closed at the end. Background work runs in between."""
        metrics = PrometheusMetrics() if self._settings.metrics else NO_METRICS
        async with opened(self._settings, metrics) as context:
            uses = UseRecorder(context)
            refusals = RefusalRecorder(context)
            url = self._settings.limits_url
            shared = SharedWindows(url) if url else None
            limits = Limits(self._settings.calls_of_account, self._settings.failures_of_address, metrics, shared)
            verifier = KeyVerifier(context.database, context.ring)
            keys = KeyAuthentication(verifier, uses, refusals, limits, context.clock, metrics=metrics)
            self._health = Health(context)
            endpoints = routes.endpoints(for_development=self._settings.development)
            doors: Sequence[Door] = (
                WireDoor(BY_KEY, endpoints),
                WireDoor(FOR_WEBHOOKS, incoming_webhooks.ENDPOINTS),
                WireDoor(BY_SESSION, endpoints),
                FilesDoor(),
                HealthDoor(self._health),
                PagesDoor(),
            )
            self._front_door = FrontDoor(context, Admitter(context, keys, limits), refusals, doors)
            self._hub = hub = context.hub
            hub.most_polls = self._connections // 2
            await hub.open()
            async with background(
                uses.run(),
                MailDelivery(context).run(),
                OutgoingWebhooks(context).run(),
                sweep_regularly(context),
                upload_contents.sweep_regularly(context),
                measure_regularly(context),
                hub.run(),
                hub.note_regularly(),
                *([load_templates()] if self._loads_templates else []),
            ):
                yield
                self.end_polls()
            await refusals.finish()
            if shared is not None:
                await shared.close()

    def end_polls(self) -> None:
        """Answer all polls that wait for events, and report that the server is not ready: it is about to stop."""
        if self._health is not None:
            self._health.stop()
        if self._hub is not None:
            self._hub.close()

    def count_polls(self, account_id: int) -> int:
        """How many polls of an account wait for events here."""
        return 0 if self._hub is None else self._hub.count_polls(account_id)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self.running():
                with _calling_on_stop(self.end_polls):
                    if self._on_started is not None:
                        self._on_started()
                    await send({"type": "lifespan.startup.complete"})
                    await receive()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})


@contextlib.contextmanager
def _calling_on_stop(work: Callable[[], None]) -> Iterator[None]:
    """Call `work` when a worker is asked to stop.

    The worker waits for open requests before it reports this by the lifespan protocol, and polls stay open for long.
    Its own handling of the signal continues: the event loop receives signals in another way.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number, handler in before.items():
        signal.signal(number, _chain_handlers(partial(loop.call_soon_threadsafe, work), handler))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _chain_handlers(first: Callable[[], object], then: Any) -> Callable[[int, FrameType | None], None]:  # noqa: ANN401  as signal has it
    def handle(number: int, frame: FrameType | None) -> None:
        first()
        if callable(then):
            then(number, frame)

    return handle


@contextlib.asynccontextmanager
async def background(*work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run coroutines in the background of the block. They are cancelled and awaited when it ends."""
    tasks = [asyncio.create_task(piece) for piece in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def create_app(settings: Settings) -> Application:
    """The application with these settings."""
    return Application(settings)


def create_app_from_environ(connections: int, on_started: Callable[[], None]) -> Application:
    """The application as the workers of `keybearer serve` create it, with the settings from their environment."""
    return Application(Settings.from_environ(os.environ), connections, on_started, loads_templates=True)
