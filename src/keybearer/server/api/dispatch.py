"""From a request to its handler: which endpoint, who calls, may they, how often; and errors into answers."""

from __future__ import annotations

import logging
from dataclasses import replace

import msgspec
from starlette.types import Receive, Scope, Send

from keybearer.server.api.answers import (
    Answer,
    internal_error,
    method_not_allowed,
    options,
    refusal,
    send_answer,
)
from keybearer.server.api.call import Call
from keybearer.server.api.endpoints import Endpoint, Path, Paths
from keybearer.server.api.parameters import Parameters, read_parameters
from keybearer.server.domain.actors import Origin
from keybearer.server.domain.errors import Refused, TooManyAttempts, Unauthenticated
from keybearer.server.domain.permissions import Way, check
from keybearer.server.middleware import csrf
from keybearer.server.middleware.authentication import Caller, KeyAuthentication, authenticate_session
from keybearer.server.middleware.limits import Limits, Quota
from keybearer.server.middleware.origins import header, origin_of, scheme_of
from keybearer.server.services.context import Context

API_PREFIX = "/api/v1/"
JSON_PREFIX = "/json/"

_log = logging.getLogger(__name__)
_NOT_LOGGED_IN = "Not logged in: API authentication or user session required"


class Dispatcher:
    """The ASGI application of everything below `/api/v1/` and `/json/`."""

    def __init__(self, context: Context, keys: KeyAuthentication, limits: Limits, paths: Paths) -> None:
        self._context = context
        self._keys = keys
        self._limits = limits
        self._paths = paths

    def find(self, path: str) -> tuple[Path, dict[str, str]] | None:
        """The endpoints at a path; None where the wire has nothing there."""
        if path.startswith(API_PREFIX):
            return self._paths.find(path[len(API_PREFIX) :], Way.KEY | Way.NOBODY)
        if path.startswith(JSON_PREFIX):
            return self._paths.find(path[len(JSON_PREFIX) :], Way.SESSION)
        return None

    async def answer(self, found: tuple[Path, dict[str, str]], scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to a path that `find` knows."""
        path, ids = found
        method: str = scope["method"]
        try:
            answer = await self._answer(path, ids, scope, receive)
        except Exception:  # noqa: BLE001  whatever it is, the client gets Zulip's 500 and the log the trace
            _log.exception("%s %s failed", method, path.pattern)
            answer = internal_error()
        await send_answer(send, answer, with_body=method != "HEAD")

    async def _answer(self, path: Path, ids: dict[str, str], scope: Scope, receive: Receive) -> Answer:
        by_key = scope["path"].startswith(API_PREFIX)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        parameters: Parameters | None = None
        try:
            if method == "OPTIONS" and not path.is_open:
                return options(path.methods)
            if method == "POST" or (scope["query_string"] and method != "GET"):
                parameters = await read_parameters(scope, receive)
                method = path.overridden(method, parameters)
            endpoint = path.endpoints.get(method)
            if endpoint is None:
                return method_not_allowed(path.methods)
            if parameters is None:
                parameters = await read_parameters(scope, receive)
            return await self._call(endpoint, ids, parameters, scope, by_key=by_key)
        except Refused as error:
            return refusal(error, challenge=_challenge(by_key))

    async def _call(
        self, endpoint: Endpoint, ids: dict[str, str], parameters: Parameters, scope: Scope, *, by_key: bool
    ) -> Answer:
        origin = origin_of(scope, self._context.settings.trusted_proxies)
        host = header(scope, b"host") or ""
        quota: Quota | None = None
        caller: Caller | None = None
        if not endpoint.rule.ways & Way.NOBODY:
            if by_key:
                caller = await self._caller_by_key(scope, host, origin)
            else:
                caller = await self._caller_by_session(scope, host, origin, parameters)
            check(endpoint.rule, caller.actor.account)
            quota, allowed = self._limits.count_call(caller.actor.id)
            if not allowed:
                wait = self._limits.seconds_left(caller.actor.id)
                return _with_quota(refusal(TooManyAttempts("API usage exceeded rate limit", retry_after=wait)), quota)
        call = Call(self._context, origin, host, parameters, ids, caller)
        try:
            answer = await endpoint.handler(call)
        except Refused as error:
            answer = refusal(error, challenge=None if caller is None else _challenge(by_key))
        if answer.status == 200 and endpoint.names_unsupported and parameters.unsupported:
            answer = _naming(answer, parameters.unsupported)
        return answer if quota is None else _with_quota(answer, quota)

    async def _caller_by_key(self, scope: Scope, host: str, origin: Origin) -> Caller:
        authorization = header(scope, b"authorization")
        if authorization is None:
            raise Unauthenticated(_NOT_LOGGED_IN)
        try:
            return await self._keys.authenticate(authorization, host, origin)
        except Unauthenticated:
            self._limits.count_failure(origin.address)
            raise

    async def _caller_by_session(self, scope: Scope, host: str, origin: Origin, parameters: Parameters) -> Caller:
        scheme = scheme_of(scope, self._context.settings.trusted_proxies)
        caller = await authenticate_session(self._context, scope, scheme, origin)
        if caller is None:
            raise Unauthenticated(_NOT_LOGGED_IN)
        if scope["method"] not in ("GET", "HEAD"):
            csrf.check(scope, scheme, parameters.optional_text(csrf.FIELD))
        if not caller.realm.answers_for(host):
            raise Refused("Account is not associated with this subdomain")
        return caller


def _challenge(by_key: bool) -> bytes:
    return b"Basic" if by_key else b"Session"


def _with_quota(answer: Answer, quota: Quota) -> Answer:
    return replace(
        answer,
        headers=(
            *answer.headers,
            (b"x-ratelimit-limit", str(quota.limit).encode()),
            (b"x-ratelimit-remaining", str(quota.remaining).encode()),
            (b"x-ratelimit-reset", str(quota.reset).encode()),
        ),
    )


def _naming(answer: Answer, unsupported: list[str]) -> Answer:
    body = msgspec.json.decode(answer.body)
    body["ignored_parameters_unsupported"] = unsupported
    return replace(answer, body=msgspec.json.encode(body) + b"\n")
