"""Cross-site request forgery: every change by a browser carries a token that another site cannot know."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from keybearer.server.domain.errors import Refused
from keybearer.server.http.cookies import SESSION_COOKIE, cookie_name
from keybearer.server.http.request import Request

COOKIE = "csrftoken"
FIELD = "csrfmiddlewaretoken"
HEADER = b"x-csrftoken"


class CSRFFailed(Refused):
    """The request's token is missing or wrong, or the request was sent by another site (status 403)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"CSRF error: {reason}", code="CSRF_FAILED", extra={"reason": reason})


def token_for(request: Request) -> str:
    """The token that this browser's forms must carry. It is bound to the browser's session, or to its cookie before
    sign-in.

    If the browser has neither, a new token, which the answer must set as the cookie.
    """
    session = request.cookies.get(cookie_name(SESSION_COOKIE, request.scheme))
    if session:
        return token_of_session(session)
    return request.cookies.get(cookie_name(COOKIE, request.scheme)) or secrets.token_urlsafe(32)


def token_of_session(session_token: str) -> str:
    """The token that is bound to a session. It changes with every sign-in and needs no row of its own."""
    return hmac.new(session_token.encode(), b"keybearer csrf", hashlib.sha256).hexdigest()


def check(request: Request, submitted: str | None) -> None:
    """Raise CSRFFailed unless the request was sent by a page of this server. `submitted` is the form field's value."""
    sent, scheme = request.cookies, request.scheme
    if not (sent.get(cookie_name(SESSION_COOKIE, scheme)) or sent.get(cookie_name(COOKIE, scheme))):
        raise CSRFFailed("CSRF cookie not set.")
    _check_site(request)
    given = request.header(HEADER) or submitted
    if not given:
        raise CSRFFailed("CSRF token missing.")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), token_for(request).encode()):
        raise CSRFFailed("CSRF token from POST incorrect.")


def _check_site(request: Request) -> None:
    if request.header(b"sec-fetch-site") in ("cross-site", "same-site"):
        raise CSRFFailed("Origin checking failed - the request was sent by another site.")
    for name, failure in ((b"origin", "Origin"), (b"referer", "Referer")):
        value = request.header(name)
        if value is not None:
            if _site(value) != (request.scheme, request.host.lower()):
                raise CSRFFailed(f"{failure} checking failed - it does not match this site.")
            return
    if request.scheme == "https":
        raise CSRFFailed("Referer checking failed - no Referer.")


def _site(url: str) -> tuple[str, str] | None:
    """The scheme and host of a URL. None if it is malformed."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.scheme, parts.netloc.lower()
