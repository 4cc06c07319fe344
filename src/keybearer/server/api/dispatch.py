"""From a request to its handler: which endpoint, who calls, may they, how often; and errors into answers."""

from __future__ import annotations

import logging
from typing import final
from urllib.parse import quote

from msgspec.structs import replace
from starlette.types import Receive, Scope, Send

from keybearer.server.api import answers
from keybearer.server.api.answers import (
    Answer,
    bad_host,
    internal_error,
    method_not_allowed,
    options,
    redirect,
    refusal,
)
from keybearer.server.api.call import Call
from keybearer.server.api.endpoints import API, WEB, Endpoint, Path, Paths
from keybearer.server.api.parameters import Disconnected, Parameters, read_parameters
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.errors import NotLoggedIn, Refused
from keybearer.server.domain.limits import Quota
from keybearer.server.domain.realms import host_name
from keybearer.server.domain.rules import check, check_entry
from keybearer.server.middleware import csrf
from keybearer.server.middleware.authentication import (
    SESSION_COOKIE,
    Admitted,
    KeyAuthentication,
    authenticate_session,
    cookie_header,
    cookie_name,
    cookies,
)
from keybearer.server.middleware.limits import Limits
from keybearer.server.middleware.origins import header, origin_of, prefers_html, scheme_of
from keybearer.server.services.context import Context

API_PREFIX = "/api/v1/"
WEB_PREFIX = "/json/"

_log = logging.getLogger(__name__)


@final
class Dispatcher:
    """The ASGI application of everything below `/api/v1/` and `/json/`."""

    def __init__(self, context: Context, keys: KeyAuthentication, limits: Limits, paths: Paths) -> None:
        self.context = context
        self.keys = keys
        self.limits = limits
        self._paths = paths
        self._proxies = context.settings.trusted_proxies

    def find(self, path: str) -> tuple[Path, dict[str, str]] | None:
        """The endpoints at a path; None where the wire has nothing there."""
        if path.startswith(API_PREFIX):
            return self._paths.find(path[len(API_PREFIX) :], API)
        if path.startswith(WEB_PREFIX):
            return self._paths.find(path[len(WEB_PREFIX) :], WEB)
        return None

    async def answer(self, found: tuple[Path, dict[str, str]], scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to a path that `find` knows."""
        path, ids = found
        request = _Request(self, scope)
        try:
            answer = await request.answer(path, ids, receive)
        except Disconnected:
            return
        except Exception:  # noqa: BLE001  whatever it is, the client gets Zulip's 500 and the log the trace
            _log.exception("%s %s failed", scope["method"], path.pattern)
            answer = internal_error()
        with_body = scope["method"] != "HEAD"
        await answers.send_answer(send, answer, request.headers(), request.quota, with_body=with_body)

    def scheme(self, scope: Scope) -> str:
        """`http` or `https`, as the client sees it."""
        return scope["scheme"] if not self._proxies else scheme_of(scope, self._proxies)

    def origin(self, scope: Scope) -> RequestOrigin:
        """Where the request comes from."""
        return origin_of(scope, self._proxies)


@final
class _Request:
    """One request on its way. What is learnt on it decides which headers every answer of its kind has."""

    __slots__ = ("_admitted", "_by_key", "_challenge", "_dispatcher", "_scheme", "_scope", "quota")

    def __init__(self, dispatcher: Dispatcher, scope: Scope) -> None:
        self._dispatcher = dispatcher
        self._scope = scope
        self._scheme = dispatcher.scheme(scope)
        self._by_key = scope["path"].startswith(API_PREFIX)
        self._admitted: Admitted | None = None
        self._challenge: bytes | None = b"Basic" if self._by_key else b"Session"
        self.quota: Quota | None = None

    def headers(self) -> tuple[answers.Header, ...]:
        """The headers that all answers of this kind have."""
        headers = answers.WEB
        if self._by_key:
            headers = answers.API if self._admitted is None else answers.BY_KEY
        return headers if self._scheme != "https" else (*headers, answers.TRANSPORT_SECURITY)

    async def answer(self, path: Path, ids: dict[str, str], receive: Receive) -> Answer:
        """The answer, a refusal included. Raises only for what nobody foresaw."""
        try:
            scope = self._scope
            host = header(scope, b"host") or ""
            if host_name(host) is None:
                return bad_host()
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            if method == "OPTIONS" and not path.is_open:
                return options(path.methods)
            parameters = await read_parameters(scope, receive, largest_multipart=path.largest_upload)
            endpoint = path.endpoints.get(path.meant(method, parameters))
            if endpoint is not None:
                return await self._call(endpoint, ids, parameters, host)
            return method_not_allowed(path.methods)
        except NotLoggedIn as error:
            return self._not_logged_in(error)
        except Refused as error:
            return refusal(error, challenge=self._challenge)

    async def _call(self, endpoint: Endpoint, ids: dict[str, str], parameters: Parameters, host: str) -> Answer:
        dispatcher, rule = self._dispatcher, endpoint.rule
        origin = dispatcher.origin(self._scope)
        admitted: Admitted | None = None
        if rule.is_open:
            self._challenge = None  # a 401 from there, as for a wrong password, is not about who calls
        else:
            if not self._by_key:
                admitted = await self._visitor(parameters, host, origin)
            elif (authorization := header(self._scope, b"authorization")) is not None:
                admitted = await dispatcher.keys.authenticate(authorization, host, origin)
            else:
                raise NotLoggedIn
            account = admitted.caller.account
            check_entry(rule, account, by_session=admitted.session is not None)
            admitted = replace(admitted, caller=admitted.caller.under(rule))
            self._admitted = admitted
            self.quota = dispatcher.limits.count_call(account.id)
            check(rule, account)
        answer = await endpoint.handler(Call(dispatcher.context, origin, host, self._scheme, parameters, ids, admitted))
        if endpoint.names_unsupported:
            unsupported = parameters.unsupported
            if unsupported:
                answer = answer.naming(unsupported)
        return answer

    async def _visitor(self, parameters: Parameters, host: str, origin: RequestOrigin) -> Admitted:
        """Who calls by a session. Raises NotLoggedIn where nobody does."""
        admitted = await authenticate_session(self._dispatcher.context, self._scope, self._scheme, origin)
        if admitted is None:
            raise NotLoggedIn
        if self._scope["method"] not in ("GET", "HEAD"):
            csrf.check(self._scope, self._scheme, parameters.peek(csrf.FIELD))
        if not admitted.realm.answers_for(host):
            raise Refused("Account is not associated with this subdomain")
        return admitted

    def _not_logged_in(self, error: NotLoggedIn) -> Answer:
        """A browser is sent to sign in; a session's cookie that is good for nothing is taken away."""
        if prefers_html(self._scope):
            return redirect(f"/login/?next={quote(self._scope['path'], safe='/')}")
        answer = refusal(error, challenge=self._challenge)
        name = cookie_name(SESSION_COOKIE, self._scheme)
        if self._by_key or name not in cookies(self._scope):
            return answer
        gone = (b"set-cookie", cookie_header(SESSION_COOKIE, "", self._scheme, max_age=0))
        return Answer(answer.status, answer.content, (*answer.headers, gone))
