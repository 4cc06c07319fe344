"""Cross-site request forgery: every change by a browser carries a token that another site cannot know."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from starlette.types import Scope

from keybearer.server.domain.errors import Refused
from keybearer.server.middleware.authentication import SESSION_COOKIE, cookie_name, cookies
from keybearer.server.middleware.origins import header

COOKIE = "csrftoken"
FIELD = "csrfmiddlewaretoken"
HEADER = b"x-csrftoken"


class CSRFFailed(Refused):
    """The request's token is missing or wrong, or another site sent it (status 403)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"CSRF error: {reason}", code="CSRF_FAILED", extra={"reason": reason})


def token_for(scope: Scope, scheme: str) -> str:
    """The token that this browser's forms must carry: bound to its session, or to its cookie before sign-in.

    Where the browser has neither, a new token, which the answer must set as the cookie.
    """
    sent = cookies(scope)
    session = sent.get(cookie_name(SESSION_COOKIE, scheme))
    if session:
        return token_of_session(session)
    return sent.get(cookie_name(COOKIE, scheme)) or secrets.token_urlsafe(32)


def token_of_session(session_token: str) -> str:
    """The token bound to a session: it changes with every sign-in, and needs no row of its own."""
    return hmac.new(session_token.encode(), b"keybearer csrf", hashlib.sha256).hexdigest()


def check(scope: Scope, scheme: str, submitted: str | None) -> None:
    """Raise CSRFFailed unless the request comes from a page of ours. `submitted` is the form field's value."""
    sent = cookies(scope)
    if not (sent.get(cookie_name(SESSION_COOKIE, scheme)) or sent.get(cookie_name(COOKIE, scheme))):
        raise CSRFFailed("CSRF cookie not set.")
    _check_site(scope, scheme)
    given = header(scope, HEADER) or submitted
    if not given:
        raise CSRFFailed("CSRF token missing.")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), token_for(scope, scheme).encode()):
        raise CSRFFailed("CSRF token from POST incorrect.")


def _check_site(scope: Scope, scheme: str) -> None:
    if header(scope, b"sec-fetch-site") in ("cross-site", "same-site"):
        raise CSRFFailed("Origin checking failed - the request was sent by another site.")
    host = (header(scope, b"host") or "").lower()
    for name, failure in ((b"origin", "Origin"), (b"referer", "Referer")):
        value = header(scope, name)
        if value is not None:
            if _site(value) != (scheme, host):
                raise CSRFFailed(f"{failure} checking failed - it does not match this site.")
            return
    if scheme == "https":
        raise CSRFFailed("Referer checking failed - no Referer.")


def _site(url: str) -> tuple[str, str] | None:
    """The scheme and host of an address; None where it is none, as one with a single bracket."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.scheme, parts.netloc.lower()
