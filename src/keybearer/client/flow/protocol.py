"""One call of the API as a flow of steps: build the request, judge the answer, wait and try again, or raise. Pure:
each client takes the steps in its own way and sends back what came of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from keybearer.client.flow import redirects
from keybearer.client.flow.newer_key import renew
from keybearer.client.flow.responses import judge
from keybearer.client.flow.retry import Patience
from keybearer.client.flow.state import Session
from keybearer.client.flow.steps import Failure, Flow, Request, Response, pause, send
from keybearer.client.operations.operation import Operation
from keybearer.errors import APIError, ClientError, InvalidAPIKey, MalformedAPIKey, NotAZulipServer

T = TypeVar("T")

logger = logging.getLogger("keybearer.client")


@dataclass(frozen=True, slots=True)
class Composite(Generic[T]):
    """A call that takes several requests, not yet made."""

    steps: Callable[[Session], Flow[T]]


def flow_of(session: Session, call: Operation[T] | Composite[T]) -> Flow[T]:
    """The steps of a call, be it of one request or of several."""
    return call.steps(session) if isinstance(call, Composite) else perform(session, call)


def perform(session: Session, operation: Operation[T], *, may_renew: bool = True) -> Flow[T]:
    """Make the call. Returns its typed result; raises ClientError, or ResolutionError where no site is set.

    With `may_renew`, a refused key is replaced by a newer one where there is one, and the call made once more.
    """
    patience = Patience(session.retry)
    renewed = not may_renew
    while True:
        asked = session.asked(operation)
        used = session.credentials
        outcome = yield from _follow(session, session.request_for(operation))
        if isinstance(outcome, Failure):
            error: ClientError = outcome.error
            # Until the first answer, a server that takes no connection is likelier a wrong address than a bad moment.
            repeatable = operation.is_safe if outcome.sent else session.reached
        else:
            session.reached = True
            answer = judge(outcome, asked)
            if not isinstance(answer, ClientError):
                session.is_zulip = True
                return operation.read(answer)
            error, repeatable = answer, operation.is_safe
            session.is_zulip |= isinstance(error, APIError) and bool(error.answer)
        if isinstance(error, InvalidAPIKey | MalformedAPIKey) and operation.authenticated and not renewed:
            renewed = True
            if (yield from renew(session, used, error)):
                continue
        if isinstance(error, NotAZulipServer) and isinstance(outcome, Response) and outcome.status == 404:
            error = yield from _explain_404(session, operation, error)
        wait = patience.wait_after(error, repeatable=repeatable)
        if wait is None:
            raise error
        logger.info("%s %s: %s; trying again in %.1f seconds", operation.method, operation.path, error.message, wait)
        yield from pause(wait)


def _follow(session: Session, request: Request) -> Flow[Response | Failure]:
    """Send, and follow redirects as far as that is allowed. Raises Redirected where it is not."""
    followed = 0
    while True:
        outcome = yield from send(request)
        if isinstance(outcome, Failure) or outcome.status not in redirects.STATUSES:
            return outcome
        url = redirects.target(request, outcome, session.required_site(), followed)
        request = Request(request.method, url, request.timeout, request.user_agent, authorization=request.authorization)
        followed += 1


def _explain_404(session: Session, operation: Operation[T], error: NotAZulipServer) -> Flow[ClientError]:
    """Zulip answers an unknown path with a page, as any other server does. Its settings tell the two apart."""
    if operation.path == "server_settings":
        return error
    if not session.is_zulip:
        probe: Operation[object] = Operation("GET", "server_settings", lambda answer: answer, authenticated=False)
        outcome = yield from send(session.request_for(probe))
        if isinstance(outcome, Failure) or isinstance(judge(outcome, session.asked(probe)), ClientError):
            return error
        session.is_zulip = True
    return APIError(
        f"The server has no endpoint {operation.path!r}",
        code="NOT_FOUND",
        status=404,
        hint="Check its name; the server may be older than the endpoint",
    )
