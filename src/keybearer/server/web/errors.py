"""Pages for what went wrong: what it is, and how to continue."""

from __future__ import annotations

import math
from http import HTTPStatus
from urllib.parse import quote

from starlette.responses import Response

from keybearer.server.domain.errors import NotPermitted, Overloaded, Refused, TooManyAttempts, TryLater
from keybearer.server.domain.forms import AlreadySent, FormTooOld
from keybearer.server.http.admission import BadHost
from keybearer.server.http.body import TooSlow
from keybearer.server.http.csrf import CSRFFailed
from keybearer.server.http.front_door import Failed, Unavailable
from keybearer.server.http.multipart import TooLarge
from keybearer.server.http.routing import MethodNotAllowed, NothingHere
from keybearer.server.web.visit import Visit, safe_path
from keybearer.server.web.wording import refusal_words

_NOTHING_THERE = {
    "No such bot": "There is no such bot. The address may be mistyped.",
    "No such user": "There is no such user. The address may be mistyped.",
    "No such API key": "There is no such API key: it ended, was revoked, or the address is mistyped.",
    "No such channel or conversation": "There is no such channel or conversation, or you can’t see it.",
    "Invalid message(s)": "There is no such message: it was deleted, or you can’t see it.",
    "No such invitation": "This invitation no longer exists: it was used or withdrawn.",
}
_TABLES = {
    "/messages/": "Back to the messages",
    "/organization/users/": "Back to the users",
    "/organization/invitations/": "Back to the invitations",
}
_ASK = "If you need this, ask an administrator of the organization."


def not_found(visit: Visit) -> Response:
    """The page for an address where there is nothing."""
    return error_page(visit, 404, "Page not found", "The address may be mistyped, or the page is gone.")


def error_page(visit: Visit, status: int, title: str, message: str) -> Response:
    """A page that says what is wrong and links to a page to continue, such as the table that a form belongs to.

    If the server currently has no time for a page, it links to that page again.
    """
    on = next(((path, words) for path, words in _TABLES.items() if visit.request.path.startswith(path)), None)
    again = _same_page(visit) if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return visit.render(
        "error.html", status=status, title=title, message=message, leads_on=on, again=again, request_id=visit.request.id
    )


def _same_page(visit: Visit) -> str | None:
    """The URL of the requested page. None if a form was sent."""
    request = visit.request
    if request.method != "GET":
        return None
    query = f"?{request.query.decode('latin-1')}" if request.query else ""
    return f"{quote(safe_path(request.path), safe='/')}{query}"


_UNTRUSTED_PROXY = (
    "The request came through a proxy that the server is not set to trust, so the server cannot tell which address you "
    "asked for. Nothing was changed. The people who run the server can fix this by setting KEYBEARER_TRUSTED_PROXIES; "
    "its log names the proxy's address."
)

_KINDS: tuple[tuple[type[Refused], int, str], ...] = (
    (BadHost, 400, "Invalid address"),
    (MethodNotAllowed, 405, "This page can’t be used like that"),
    (CSRFFailed, 403, "This page was open for too long"),
    (AlreadySent, 409, "This was already done"),
    (FormTooOld, 400, "This page was open for too long"),
    (TooManyAttempts, 429, "Too many attempts"),
    (TooLarge, 413, "That is too large"),
    (TooSlow, 408, "That took too long"),
    (Overloaded, 503, "Please try again in a moment"),
    (NotPermitted, 403, "You can’t do this"),
    (Failed, 500, "Something went wrong"),
)
"""The status and the title of the page for a kind of refusal."""


def refusal_page(visit: Visit, refusal: Refused) -> Response:
    """The page for something that a rule forbids, if no form of the page can say it."""
    if isinstance(refusal, NothingHere):
        return not_found(visit)
    if refusal.message in _NOTHING_THERE:
        return error_page(visit, 404, "Page not found", _NOTHING_THERE[refusal.message])
    status, title = next(
        ((status, title) for kind, status, title in _KINDS if isinstance(refusal, kind)), (400, "That did not work")
    )
    if isinstance(refusal, BadHost | Unavailable | Failed):
        visit = visit.anonymous()
    if isinstance(refusal, CSRFFailed) and visit.request.untrusted_proxy is not None:
        return error_page(visit, status, "This server does not trust its proxy", _UNTRUSTED_PROXY)
    page = error_page(visit, status, title, _message(refusal))
    if isinstance(refusal, MethodNotAllowed):
        page.headers["allow"] = ", ".join(refusal.methods)
    if isinstance(refusal, TryLater):
        page.headers["retry-after"] = str(math.ceil(refusal.retry_after))
    return page


def _message(refusal: Refused) -> str:
    match refusal:
        case MethodNotAllowed():
            return "Please go back and use its buttons."
        case CSRFFailed():
            return f"Nothing was changed. Please go back, reload the page and try again. ({refusal.message})"
        case NotPermitted():
            return f"{refusal_words(refusal).rstrip('.')}. {_ASK}"
        case Unavailable():
            return "The server cannot use its database at the moment. Nothing was changed."
        case Failed():
            return (
                "This is a fault of the server, not yours. Please try again; if it happens again, report it to the "
                "people who run the server."
            )
    return refusal.message
