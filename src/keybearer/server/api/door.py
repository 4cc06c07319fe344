"""The wire's doors: `/api/v1/` for keys and `/json/` for sessions, with the same endpoints and Zulip's answers.

The URLs to which services post, below `/api/v1/external/`, have a door of their own, for incoming webhook bots.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import final
from urllib.parse import quote

from keybearer.server.api import answers
from keybearer.server.api.answers import Answer
from keybearer.server.api.call import Call
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.parameters import Parameters
from keybearer.server.domain.errors import NotLoggedIn, Refused
from keybearer.server.domain.rules import Way
from keybearer.server.http.admission import Admission, BadHost, Doorway
from keybearer.server.http.cookies import SESSION_COOKIE, cookie_header, cookie_name
from keybearer.server.http.csrf import CSRFFailed
from keybearer.server.http.front_door import Failed
from keybearer.server.http.request import Request
from keybearer.server.http.responses import WholeResponse
from keybearer.server.http.routing import MethodNotAllowed, Prefix, Route, Router

BY_KEY = Prefix("/api/v1/", Way.KEY | Way.NOBODY)
BY_SESSION = Prefix("/json/", Way.SESSION)
FOR_WEBHOOKS = Prefix("/api/v1/", Way.KEY)


@final
class WireDoor:
    """The endpoints below one prefix."""

    def __init__(self, prefix: Prefix, endpoints: Iterable[Endpoint]) -> None:
        self.router = Router(prefix, endpoints)
        is_for_webhooks = prefix is FOR_WEBHOOKS
        self.doorway = Doorway(is_for_webhooks=is_for_webhooks, takes_method_field=not is_for_webhooks)
        self._by_key = prefix is not BY_SESSION
        self._headers = answers.BY_KEY if self._by_key else answers.WEB
        self._headers_of_strangers = answers.API if self._by_key else answers.WEB
        self._challenge = b"Basic" if self._by_key else b"Session"

    def find_file(self, request: Request) -> None:
        return None

    async def answer(self, admission: Admission, route: Route) -> WholeResponse:
        assert isinstance(route, Endpoint)
        parameters = Parameters(admission.fields)
        answer: Answer = await route.handler(Call(admission, parameters))
        if route.names_unsupported:
            unsupported = parameters.unsupported
            if unsupported:
                answer = answer.naming(unsupported)
        return self._response(admission, await answers.in_pieces(answer))

    async def refuse(self, admission: Admission, refusal: Refused) -> WholeResponse:
        if isinstance(refusal, CSRFFailed):
            admission.quota = None  # as in Zulip, which checks the token before it counts the call
        return self._response(admission, self._refusal(admission, refusal))

    def _response(self, admission: Admission, answer: Answer) -> WholeResponse:
        headers = self._headers if admission.is_counted else self._headers_of_strangers
        if admission.request.scheme == "https":
            headers = (*headers, answers.TRANSPORT_SECURITY)
        expires = answers.key_expires(admission)
        if expires:
            headers = (*headers, *expires)
        return answers.response(answer, headers, admission.quota, with_body=not admission.request.is_head)

    def _refusal(self, admission: Admission, refusal: Refused) -> Answer:
        request, place, route = admission.request, admission.place, admission.route
        if isinstance(refusal, BadHost):
            return answers.bad_host()
        if isinstance(refusal, Failed):
            return answers.internal_error()
        if isinstance(refusal, MethodNotAllowed):
            if request.method == "OPTIONS" and place is not None and not place.is_open:
                return answers.options(refusal.methods)
            return answers.method_not_allowed(refusal.methods)
        if isinstance(refusal, NotLoggedIn):
            return self._not_logged_in(admission, refusal)
        # A 401 of an open endpoint, for example for a wrong password, is not about the caller's identity.
        challenge = None if route is not None and route.rule.is_open else self._challenge
        return answers.refusal(refusal, challenge=challenge)

    def _not_logged_in(self, admission: Admission, refusal: NotLoggedIn) -> Answer:
        """A browser is sent to the sign-in page. The cookie of an ended session is deleted."""
        request = admission.request
        if request.prefers_html:
            return answers.redirect(f"/login/?next={quote(request.path, safe='/')}")
        answer = answers.refusal(refusal, challenge=self._challenge)
        if self._by_key or cookie_name(SESSION_COOKIE, request.scheme) not in request.cookies:
            return answer
        gone = (b"set-cookie", cookie_header(SESSION_COOKIE, "", request.scheme, max_age=0))
        return Answer(answer.status, answer.content, (*answer.headers, gone))
