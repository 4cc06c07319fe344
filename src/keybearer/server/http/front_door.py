"""The ASGI application: the only way in for all requests."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Protocol, final

from starlette.types import Message, Receive, Scope, Send

from keybearer.errors import StorageError
from keybearer.server.domain.errors import NotPermitted, Overloaded, PasswordNeeded, Refused, Unauthenticated
from keybearer.server.http.admission import Admission, Admitter, Doorway
from keybearer.server.http.body import Disconnected, discard
from keybearer.server.http.csrf import CSRFFailed
from keybearer.server.http.request import Request
from keybearer.server.http.request_log import RequestLog
from keybearer.server.http.responses import Header, WholeResponse
from keybearer.server.http.routing import Route, Router
from keybearer.server.logs import request_id
from keybearer.server.services.context import Context
from keybearer.server.services.refusals import RefusalRecorder

_log = logging.getLogger(__name__)


class Unavailable(Overloaded):
    """The database cannot be used at the moment (status 503). The message reveals nothing about the server's
    internals.
    """

    def __init__(self) -> None:
        super().__init__("The server cannot use its database at the moment. Try again soon.")


class Failed(Refused):
    """An unexpected error (status 500)."""

    def __init__(self) -> None:
        super().__init__("Internal server error")


class SendingResponse(Protocol):
    """An answer that sends itself, as ASGI applications do."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> None:
        """Send the response."""
        ...


Response = WholeResponse | SendingResponse
"""What a door returns as an answer."""


class Door(Protocol):
    """How answers look behind one prefix of paths."""

    @property
    def router(self) -> Router:
        """The places behind it."""
        ...

    @property
    def doorway(self) -> Doorway:
        """What it adds to the checks."""
        ...

    def find_file(self, request: Request) -> SendingResponse | None:
        """The public file at a path that no route has. None if there is none."""
        ...

    async def answer(self, admission: Admission, route: Route) -> Response:
        """What the route's handler returns for an admitted request. May raise Refused."""
        ...

    async def refuse(self, admission: Admission, refusal: Refused) -> Response:
        """The answer for something that a rule forbids, or that the server currently cannot do."""
        ...


@final
class _Sending:
    """A `send` that adds headers to an answer, and remembers its status (0 if nothing was answered)."""

    __slots__ = ("_headers", "_send", "status")

    def __init__(self, send: Send, headers: Sequence[Header]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._headers]
        await self._send(message)


_CLOSES: Header = (b"connection", b"close")
"""Closes the connection after the answer, because a body that is not read is still arriving."""


def _pattern(door: Door, admission: Admission) -> str:
    """The pattern of a request's path, which contains no token."""
    return "(no route)" if admission.place is None else f"{door.router.prefix.text}{admission.place.path}"


@final
class FrontDoor:
    """Finds the place of a request, admits it, and answers through the door that owns the path.

    `doors` are asked in order. The last door owns every path that no other door has.
    """

    def __init__(self, context: Context, admitter: Admitter, refusals: RefusalRecorder, doors: Sequence[Door]) -> None:
        settings = context.settings
        self._context = context
        self._admitter = admitter
        self._refusals = refusals
        self._doors = doors
        self._proxies = settings.trusted_proxies
        self._log = RequestLog(context.metrics, context.clock, writes_lines=settings.log_requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request = Request(scope, self._proxies)
        request_id.set(request.id)
        door, admission = self._find(request)
        file: SendingResponse | None = None if admission.place is not None else door.find_file(request)
        response: Response | None = file
        answering: WholeResponse | _Sending | None = None
        try:
            added = [(b"x-request-id", request.id.encode())]
            if response is None:
                try:
                    route = await self._admitter.admit(admission, door.doorway, receive)
                    response = await door.answer(admission, route)
                except Disconnected:
                    return
                except Exception as error:  # noqa: BLE001  every failure gets an answer
                    response = await self._answer_error(door, admission, error)
                    if request.has_body and not await discard(request, receive):
                        added.append(_CLOSES)
                else:
                    if admission.refusal is not None:
                        self._record_refusal(admission, admission.refusal)
            if isinstance(response, WholeResponse):
                answering = response
                headers = response.headers
                headers += added
                await send({"type": "http.response.start", "status": response.status, "headers": headers})
                await send({"type": "http.response.body", "body": response.body})
            else:
                answering = _Sending(send, added)
                await response(scope, receive, answering)
        finally:
            if admission.held is not None:
                admission.held.release()
            if self._log.is_on or request.untrusted_proxy is not None:
                path = "(file)" if file is not None else _pattern(door, admission)
                status = 0 if answering is None else answering.status
                self._log.note(admission, path, status, time.perf_counter() - began)

    async def _answer_error(self, door: Door, admission: Admission, error: Exception) -> Response:
        match error:
            case Refused():
                self._record_refusal(admission, error)
                return await door.refuse(admission, error)
            case StorageError():
                # Most are already known. A sealed text that does not open is not.
                self._context.database.outage.note_failure(error, writing=admission.request.changes_something)
                return await door.refuse(admission, Unavailable())
            case _:
                _log.error("%s failed", admission.name, exc_info=error)
                return await door.refuse(admission, Failed())

    def _find(self, request: Request) -> tuple[Door, Admission]:
        door = self._doors[-1]
        for door in self._doors:
            found = door.router.find(request.path)
            if found is not None:
                return door, Admission(self._context, request, *found)
        return door, Admission(self._context, request, None, {})

    def _record_refusal(self, admission: Admission, refusal: Refused) -> None:
        """Record that a known account tried something that it may not do. A request for its password is not such an
        attempt.
        """
        is_attempt = isinstance(refusal, NotPermitted | Unauthenticated | CSRFFailed)
        if admission.identified is not None and is_attempt and not isinstance(refusal, PasswordNeeded):
            caller = admission.caller
            self._refusals.note(caller.account, caller.origin, f"{admission.name}: {refusal.message}")
