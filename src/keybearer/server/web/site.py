"""The site: from a request to its page, by way of who visits and what they may; and errors into pages."""

from __future__ import annotations

import logging
from dataclasses import replace

from msgspec import structs
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from keybearer.errors import KeybearerError, StorageError
from keybearer.server.domain.errors import Refused, Unauthenticated
from keybearer.server.domain.realms import Realm, host_name
from keybearer.server.domain.rules import Way, check
from keybearer.server.middleware import csrf
from keybearer.server.middleware.authentication import SESSION_COOKIE, authenticate_session
from keybearer.server.middleware.origins import origin_of, scheme_of
from keybearer.server.services import setup
from keybearer.server.services.context import Context
from keybearer.server.web import routes
from keybearer.server.web.assets import load_assets
from keybearer.server.web.errors import error_page, not_found, refusal_page
from keybearer.server.web.headers import with_headers
from keybearer.server.web.pages import Page, Place, Places
from keybearer.server.web.visit import Visit, login_path, parse_query, read_form

_log = logging.getLogger(__name__)

_ROBOTS = "User-agent: *\nDisallow: /\n"
_EXISTS_BEFORE_SETUP = ("/setup/", "/help/")


class Site:
    """The ASGI application of everything that is not the wire."""

    def __init__(self, context: Context, places: Places) -> None:
        self._context = context
        self._places = places
        self._assets = load_assets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scheme = scheme_of(scope, self._context.settings.trusted_proxies)
        answer = self._asset(scope) or await self._answer(scope, scheme, receive)
        await answer(scope, receive, with_headers(send, scheme))

    def _asset(self, scope: Scope) -> Response | None:
        if scope["method"] not in ("GET", "HEAD"):
            return None
        if scope["path"] == "/robots.txt":
            return PlainTextResponse(_ROBOTS, headers={"cache-control": "public, max-age=86400"})
        return self._assets.find(scope["path"])

    async def _answer(self, scope: Scope, scheme: str, receive: Receive) -> Response:
        origin = origin_of(scope, self._context.settings.trusted_proxies)
        visit = Visit(self._context, scope, scheme, origin, None, None)
        try:
            return await self._visited(visit, receive)
        except StorageError:
            _log.exception("%s %s: the database failed", scope["method"], scope["path"])
            return error_page(
                replace(visit, realm_or_none=None, admitted=None),
                503,
                "Please try again in a moment",
                "The server cannot reach its database just now. Nothing was changed.",
            )
        except Exception:  # noqa: BLE001  whatever it is, the visitor gets a page and the log the trace
            _log.exception("%s %s failed", scope["method"], scope["path"])
            return error_page(
                replace(visit, realm_or_none=None, admitted=None),
                500,
                "Something went wrong here",
                "This is our fault, not yours. Please try again; if it goes on, tell whoever runs the server.",
            )

    async def _visited(self, visit: Visit, receive: Receive) -> Response:
        try:
            admitted = await authenticate_session(self._context, visit.scope, visit.scheme, visit.origin)
        except Unauthenticated as refusal:
            return without_session(visit, error_page(visit, 401, "You cannot enter", refusal.message))
        realm = admitted.realm if admitted else await setup.find_realm(self._context)
        visit = replace(visit, realm_or_none=realm, admitted=admitted)
        try:
            return await self._find(visit, realm, receive)
        except Refused as refusal:
            return refusal_page(visit, refusal)
        except KeybearerError as error:
            return error_page(visit, 400, "That did not work", str(error))

    async def _find(self, visit: Visit, realm: Realm | None, receive: Receive) -> Response:
        if host_name(visit.host) is None:
            anywhere = replace(visit, realm_or_none=None, admitted=None)
            return error_page(anywhere, 400, "That is no address", "The request names no site that there can be.")
        if realm is not None and not realm.answers_for(visit.host):
            return visit.render("elsewhere.html", status=404, site=realm.site)
        found = self._places.find(visit.path)
        if found is None:
            if not visit.path.endswith("/") and self._places.find(visit.path + "/"):
                return RedirectResponse(_with_slash(visit.scope), 307)
            return not_found(visit)
        if realm is None and not visit.path.startswith(_EXISTS_BEFORE_SETUP):
            return visit.render("setup/pending.html")
        place, ids = found
        return await self._open(replace(visit, ids=ids), place, receive)

    async def _open(self, visit: Visit, place: Place, receive: Receive) -> Response:
        method = "GET" if visit.scope["method"] == "HEAD" else visit.scope["method"]
        page = place.pages.get(method)
        if page is None:
            response = error_page(
                visit, 405, "That is not how this page is used", "Please go back and use its buttons."
            )
            response.headers["allow"] = ", ".join(place.methods)
            return response
        visit = replace(visit, query=parse_query(visit.scope))
        if method == "POST":
            visit = replace(visit, form=await read_form(receive))
            csrf.check(visit.scope, visit.scheme, visit.form.get(csrf.FIELD))
        if not page.rule.ways & Way.NOBODY:
            if visit.admitted is None:
                return _to_sign_in(visit, page)
            check(page.rule, visit.caller.account)
            admitted = structs.replace(visit.admitted, caller=visit.caller.under(page.rule))
            visit = replace(visit, admitted=admitted)
        return await page.handler(visit)


def _with_slash(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}/{f'?{query}' if query else ''}"


def _to_sign_in(visit: Visit, page: Page) -> Response:
    query = visit.scope["query_string"].decode("latin-1")
    wanted = f"{visit.path}{f'?{query}' if query else ''}" if page.method == "GET" else "/"
    if visit.is_dialog:
        wanted = "/"
    response = visit.redirect(login_path(wanted), status=302)
    if visit.is_by_script:
        response.status_code = 401
    return without_session(visit, response) if visit.cookie(SESSION_COOKIE) else response


def without_session(visit: Visit, response: Response) -> Response:
    """The answer, taking a session's cookie away that is good for nothing."""
    visit.delete_cookie(response, SESSION_COOKIE)
    return response


def create_site(context: Context) -> ASGIApp:
    """Every page of the site."""
    return Site(context, Places(routes.PAGES))
