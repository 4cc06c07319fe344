"""One-time tokens of forms, by which a form that is sent again, as by a reload, is recognised.

A token is signed with the session, so that only forms of this server fill the table of sent forms.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime

from keybearer.server.domain.forms import LIFETIME, FormTooOld
from keybearer.server.http.cookies import SESSION_COOKIE, cookie_name
from keybearer.server.http.request import Request

FIELD = "once"

_TOKEN = re.compile(r"(\d{1,12})\.([\w-]{22})\.([0-9a-f]{64})")


def new_token(request: Request, now: datetime) -> str:
    """A token for one form on a page of this browser's session."""
    return token_of_session(_session(request), now)


def token_of_session(session: str, now: datetime) -> str:
    """A token for one form of the session with this cookie."""
    made_at, nonce = str(int(now.timestamp())), secrets.token_urlsafe(16)
    return f"{made_at}.{nonce}.{_signature(session, made_at, nonce)}"


def read_token(request: Request, submitted: str, now: datetime) -> bytes:
    """The digest by which a form's token is remembered. Raises FormTooOld unless the token belongs to this session."""
    found = _TOKEN.fullmatch(submitted)
    if found is None:
        raise FormTooOld
    made_at, nonce, signature = found.groups()
    # Only a time that was signed here is known to be one: others may be in the year 33658.
    if not hmac.compare_digest(signature, _signature(_session(request), made_at, nonce)):
        raise FormTooOld
    if now - datetime.fromtimestamp(int(made_at), now.tzinfo) >= LIFETIME:
        raise FormTooOld
    return hashlib.sha256(submitted.encode()).digest()


def _session(request: Request) -> str:
    return request.cookies.get(cookie_name(SESSION_COOKIE, request.scheme), "")


def _signature(session: str, made_at: str, nonce: str) -> str:
    return hmac.digest(session.encode(), f"keybearer form {made_at} {nonce}".encode(), "sha256").hex()
