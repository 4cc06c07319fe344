"""The pages' door: every path that does not belong to the wire or to a file, for browsers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any, final

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from keybearer.server.domain.errors import NotLoggedIn, NotSetUp, Refused, Unauthenticated
from keybearer.server.domain.rules import Way
from keybearer.server.http.admission import Admission, Doorway, WrongHost
from keybearer.server.http.body import Fields
from keybearer.server.http.cookies import SESSION_COOKIE
from keybearer.server.http.request import Request
from keybearer.server.http.routing import NothingHere, Prefix, Route, Router
from keybearer.server.services.turns import Slot, Turns
from keybearer.server.web.assets import load_assets
from keybearer.server.web.errors import error_page, refusal_page
from keybearer.server.web.headers import with_headers
from keybearer.server.web.routes import ROUTES
from keybearer.server.web.visit import Visit, login_path

PREFIX = Prefix("", Way.SESSION | Way.NOBODY, number="[0-9]{1,9}", word="[A-Za-z0-9_-]+")
PAGES_AT_ONCE = 4
"""Pages for strangers that one worker writes at the same time, and as many for people who are signed in: one for each
person or network. Each takes half a millisecond or more, so that a thousand at once would make all other requests wait.
"""

_ROBOTS = "User-agent: *\nDisallow: /\n"


@final
class PagesDoor:
    """The pages. A GET shows something, a POST changes something. Nothing else exists here."""

    doorway = Doorway(
        names_session_owner=True,
        counts_calls=False,
        needs_token_when_open=True,
        exists_before_setup=("/setup/", "/help/"),
    )
    router = Router(PREFIX, ROUTES)

    def __init__(self) -> None:
        self._assets = load_assets()
        # None is refused: that would be a page, too. Requests are limited by their connections.
        turns = partial(Turns, most=sys.maxsize, most_of_one=sys.maxsize, at_once=PAGES_AT_ONCE)
        self._turns_of_strangers, self._turns_of_people = turns(), turns()

    def find_file(self, request: Request) -> _Framed | None:
        if request.method != "GET":
            return None
        if request.path == "/robots.txt":
            return _Framed(PlainTextResponse(_ROBOTS, headers={"cache-control": "public, max-age=86400"}), request)
        asset = self._assets.find(request.path)
        return None if asset is None else _Framed(asset, request)

    async def answer(self, admission: Admission, route: Route) -> _Framed:
        _check_text(admission.fields)
        # A form takes no turn here: some wait for the passwords of others.
        async with self._turn(admission) if admission.request.method == "GET" else nullcontext() as slot:
            response: Any = await route.handler(Visit(admission, slot))
        assert isinstance(response, Response)
        return _Framed(response, admission.request)

    async def refuse(self, admission: Admission, refusal: Refused) -> _Framed:
        async with self._turn(admission):
            return _Framed(self._refusal(admission, refusal), admission.request)

    @asynccontextmanager
    async def _turn(self, admission: Admission) -> AsyncIterator[Slot]:
        """A turn to write a page. Strangers and people wait only for their own kind. Nobody has several turns: pages
        that wait for something of one person, such as its long search, would leave none for others.
        """
        found = admission.identified
        turns = self._turns_of_strangers if found is None else self._turns_of_people
        whose = admission.request.origin.network if found is None else found.caller.account.person_id
        async with turns.turn(whose) as slot:
            await asyncio.sleep(0)  # otherwise a page that waits for nothing would take its turn at once
            yield slot

    def _refusal(self, admission: Admission, refusal: Refused) -> Response:
        visit = Visit(admission)
        match refusal:
            case NothingHere():
                return self._not_found(visit)
            case WrongHost():
                return visit.render("elsewhere.html", status=404, site=refusal.site)
            case NotSetUp():
                return visit.render("setup/pending.html")
            case NotLoggedIn():
                return _redirect_to_sign_in(visit)
            case Unauthenticated():
                return without_session(visit, error_page(visit, 401, "You cannot enter", refusal.message))
            case _:
                return refusal_page(visit, refusal)

    def _not_found(self, visit: Visit) -> Response:
        """A redirect to the path with a slash, if a page is there. Otherwise the page that says that there is none."""
        request = visit.request
        if not request.path.endswith("/") and self.router.find(request.path + "/"):
            query = request.query.decode("latin-1")
            return RedirectResponse(f"{request.path}/{f'?{query}' if query else ''}", 307)
        return refusal_page(visit, NothingHere())


@final
class _Framed:
    """A response with the headers of every answer of the site."""

    __slots__ = ("_response", "_scheme")

    def __init__(self, response: Response, request: Request) -> None:
        self._response = response
        self._scheme = request.scheme

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._response(scope, receive, with_headers(send, self._scheme))


_UNREADABLE = {"\x00", "\N{REPLACEMENT CHARACTER}"}


def _check_text(fields: Fields) -> None:
    """Raise Refused for text that no browser sends: null characters, which PostgreSQL cannot store, or invalid
    UTF-8.
    """
    if any(_UNREADABLE & set(text) for part in (fields.query, fields.form) for pair in part.items() for text in pair):
        raise Refused("The form cannot be read: it contains characters that are not text.")


def _redirect_to_sign_in(visit: Visit) -> Response:
    request = visit.request
    query = request.query.decode("latin-1")
    wanted = f"{request.path}{f'?{query}' if query else ''}" if request.method == "GET" else "/"
    if visit.is_dialog:
        wanted = "/"
    response = visit.redirect(login_path(wanted), status=302)
    if visit.is_by_script:
        response.status_code = 401
    return without_session(visit, response) if visit.cookie(SESSION_COOKIE) else response


def without_session(visit: Visit, response: Response) -> Response:
    """The answer, which also deletes the cookie of an ended session."""
    visit.delete_cookie(response, SESSION_COOKIE)
    return response
