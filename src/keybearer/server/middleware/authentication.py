"""Who is asking: an API key by HTTP Basic, or a session by its cookie."""

from __future__ import annotations

import binascii
import logging
from collections.abc import Callable
from datetime import datetime

import msgspec
from starlette.types import Scope

from keybearer import api_key as api_key_format
from keybearer.secret import Secret
from keybearer.server.domain.accounts import email_key
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.api_keys import VerifiedKey
from keybearer.server.domain.errors import Refused, Unauthenticated
from keybearer.server.domain.realms import Realm
from keybearer.server.domain.rules import check_standing
from keybearer.server.domain.sessions import Session
from keybearer.server.middleware.limits import Limits
from keybearer.server.middleware.origins import header
from keybearer.server.services import sessions
from keybearer.server.services.context import Context
from keybearer.server.services.key_uses import UseRecorder
from keybearer.server.storage.verification import KeyVerifier

_log = logging.getLogger(__name__)


class Admitted(msgspec.Struct, frozen=True):
    """A caller with the realm they belong to; `session` only where they came by one, the newest message only by key."""

    caller: Caller
    realm: Realm
    session: Session | None = None
    newest_message_id: int | None = None


def basic_credentials(authorization: str) -> tuple[str, Secret]:
    """The email and key of an `Authorization` header. Raises Unauthenticated or Refused in Zulip's order and words.

    The key is well-formed, no more.
    """
    try:
        scheme, encoded = authorization.split()
        if scheme.lower() != "basic":
            raise Refused("This endpoint requires HTTP basic authentication.")
        email, key = binascii.a2b_base64(encoded).decode().split(":")
    except ValueError:
        raise Unauthenticated("Invalid authorization header for basic auth") from None
    email, key = email.strip(), key.strip()
    if not api_key_format.is_well_formed(key):
        raise Unauthenticated("Malformed API key")
    return email, Secret(key)


class KeyAuthentication:
    """Knows an account by its key."""

    def __init__(self, verifier: KeyVerifier, uses: UseRecorder, limits: Limits, clock: Callable[[], datetime]) -> None:
        self._verifier = verifier
        self._uses = uses
        self._limits = limits
        self._clock = clock

    async def authenticate(self, authorization: str, host: str, origin: RequestOrigin) -> Admitted:
        """The caller that the header and the Host header name.

        The checks stand in Zulip's order. A key with a wrong checksum is refused before any look-up, with the same
        words. Raises Unauthenticated, or Refused for another scheme, or TooManyAttempts in the place of a failure that
        is one too many from its network.
        """
        try:
            email, key = basic_credentials(authorization)
            return self._caller(await self._verifier.verify(key), email, host, origin)
        except Unauthenticated as error:
            self._limits.count_failure(origin.network)
            _log.info("a key was refused, from %s: %s", origin.address, error.message)
            raise

    def _caller(self, found: VerifiedKey | None, email: str, host: str, origin: RequestOrigin) -> Admitted:
        if found is None:
            raise Unauthenticated("Invalid API key")
        account, realm = found.account, found.realm
        if found.revoked:
            self._uses.note_late(found.key_id, account, origin)
            raise Unauthenticated("Invalid API key")
        if found.expires_at is not None and found.expires_at <= self._clock():
            raise Unauthenticated("Invalid API key")
        if email_key(account.delivery_email) != email_key(email):
            raise Unauthenticated("Invalid API key")
        if not realm.is_active:
            raise Unauthenticated("This organization has been deactivated")
        check_standing(account, by_session=False)
        if not realm.answers_for(host):
            _log.warning("account %d of %s was asked for at another host", account.id, realm.host)
            raise Unauthenticated("Account is not associated with this subdomain")
        self._uses.note(found.key_id, origin)
        return Admitted(Caller(account, origin, found.key_id), realm, None, found.newest_message_id)


SESSION_COOKIE = "sessionid"


def cookie_name(name: str, scheme: str) -> str:
    """Zulip's cookie names: over https with the prefix that browsers tie to the host."""
    return f"__Host-{name}" if scheme == "https" else name


def cookies(scope: Scope) -> dict[str, str]:
    """The cookies of a request; of two with one name the first, as browsers send the more specific one first."""
    found: dict[str, str] = {}
    for pair in (header(scope, b"cookie") or "").split(";"):
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, value)
    return found


def cookie_header(name: str, value: str, scheme: str, *, max_age: int) -> bytes:
    """A Set-Cookie header for a cookie that scripts cannot read and other sites' requests do not carry."""
    secure = "; Secure" if scheme == "https" else ""
    quoted = value or '""'
    text = f"{cookie_name(name, scheme)}={quoted}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax{secure}"
    return text.encode("ascii")


async def authenticate_session(context: Context, scope: Scope, scheme: str, origin: RequestOrigin) -> Admitted | None:
    """The caller whose session cookie the request carries; None where it carries none that is good.

    Raises Unauthenticated where the session is good and the account or the organization is not.
    """
    token = cookies(scope).get(cookie_name(SESSION_COOKIE, scheme))
    if not token:
        return None
    visitor = await sessions.find_visitor(context, Secret(token), origin)
    if visitor is None:
        return None
    if not visitor.realm.is_active:
        raise Unauthenticated("This organization has been deactivated", code="REALM_DEACTIVATED")
    check_standing(visitor.account, by_session=True)
    caller = Caller(visitor.account, origin, session_id=visitor.session.id)
    return Admitted(caller, visitor.realm, visitor.session)
