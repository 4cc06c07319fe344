"""One call of the API as a flow of steps: build the request, judge the response, wait and try again, or raise.

Pure: the runners in `client/http` carry out the steps and send the outcome of each back into the flow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from keybearer.client.flow import redirects
from keybearer.client.flow.log import log
from keybearer.client.flow.newer_key import take_newer_key
from keybearer.client.flow.responses import judge
from keybearer.client.flow.retry import Patience
from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import Failure, Flow, Request, Response, pause, send
from keybearer.client.operations import event_queues
from keybearer.client.operations.operation import Operation
from keybearer.errors import APIError, ClientError, InvalidAPIKey, MalformedAPIKey, NotAZulipServer, ServerFailed
from keybearer.secret import Secret

T = TypeVar("T")


class Composite(NamedTuple, Generic[T]):
    """A call that takes several requests, not yet made."""

    steps: Callable[[ClientState], Flow[T]]


def flow_of(state: ClientState, call: Operation[T] | Composite[T]) -> Flow[T]:
    """The steps of a call, whether it takes one request or several."""
    return call.steps(state) if isinstance(call, Composite) else perform(state, call)


def perform(state: ClientState, operation: Operation[T], *, may_take_newer_key: bool = True) -> Flow[T]:
    """Make the call and return its typed result. Raises ClientError, or ResolutionError if no site is set.

    With `may_take_newer_key`, the call is made again with a newer key whenever the key is refused and there is one: an
    open poll can outlast several keys. No key is tried twice.
    """
    patience = Patience(state.retry)
    refused: set[Secret] = set()
    while True:
        context = state.context_of(operation)
        used = state.credentials
        outcome = yield from _follow(state, state.request_for(operation))
        if isinstance(outcome, Failure):
            error: ClientError = outcome.error
            # Before the first response, a refused connection is more likely a wrong address than a restart.
            repeatable = operation.is_safe if outcome.sent else state.reached
        else:
            state.reached = True
            answer = judge(outcome, context)
            if not isinstance(answer, ClientError):
                state.is_zulip = True
                _report_ignored(operation, answer)
                return operation.read(answer)
            error, repeatable = answer, operation.is_safe
            state.is_zulip |= isinstance(error, APIError) and bool(error.answer)
        if isinstance(error, InvalidAPIKey | MalformedAPIKey) and operation.authenticated and used is not None:
            refused.add(used.api_key)
            if may_take_newer_key and (yield from take_newer_key(state, refused, error)):
                continue
        if isinstance(error, NotAZulipServer) and isinstance(outcome, Response) and outcome.status == 404:
            error = yield from _explain_404(state, operation, error)
        wait = patience.wait_after(error, repeatable=repeatable)
        if wait is None:
            raise error
        log().info("%s %s: %s; trying again in %.1f seconds", operation.method, operation.path, error.message, wait)
        yield from pause(wait)


def _follow(state: ClientState, request: Request) -> Flow[Response | Failure]:
    """Send the request and follow redirects. Raises Redirected for one that must not be followed."""
    followed = 0
    while True:
        outcome = yield from send(request)
        if isinstance(outcome, Failure) or outcome.status not in redirects.STATUSES:
            return outcome
        url = redirects.target(request, outcome, state.required_site(), followed)
        request = Request(request.method, url, request.timeout, request.user_agent, authorization=request.authorization)
        followed += 1


def _report_ignored(operation: Operation[T], answer: Mapping[str, Any]) -> None:
    """Warn about parameters that the server does not know, since it ignores them and reports success."""
    ignored = answer.get("ignored_parameters_unsupported")
    names = [name for name in operation.parameters if isinstance(ignored, list) and name in ignored]
    if names:
        log().warning(
            "The server does not know these parameters of %s %s and has ignored them: %s",
            operation.method,
            operation.path,
            ", ".join(names),
        )


def _explain_404(state: ClientState, operation: Operation[T], error: NotAZulipServer) -> Flow[ClientError]:
    """Zulip answers an unknown path with an HTML page, as other servers do. So check whether this is a Zulip server."""
    if operation.path == "server_settings":
        return error
    if state.is_zulip and operation.path in event_queues.PATHS:
        return ServerFailed(
            f"{state.site} answered {operation.method} {operation.path} with a page that is not Zulip's",
            status=404,
            hint="Every Zulip server has this endpoint, so a proxy in front of it may be at fault: try again later",
        )
    if not state.is_zulip:
        probe: Operation[object] = Operation("GET", "server_settings", lambda answer: answer, authenticated=False)
        outcome = yield from send(state.request_for(probe))
        if isinstance(outcome, Failure) or isinstance(judge(outcome, state.context_of(probe)), ClientError):
            return error
        state.is_zulip = True
    return APIError(
        f"The server has no endpoint {operation.path!r}",
        code="NOT_FOUND",
        status=404,
        hint="Only a development server has it"
        if operation.path == "dev_fetch_api_key"
        else "Check its name; the server may be older than the endpoint",
    )
