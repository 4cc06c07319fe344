"""Who calls: an API key by HTTP Basic, or a session by its cookie."""

from __future__ import annotations

import binascii
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from keybearer import api_key as api_key_format
from keybearer.secret import Secret
from keybearer.server.domain.accounts import email_key
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.api_keys import VerifiedKey
from keybearer.server.domain.errors import Refused, Unauthenticated, WrongNetwork
from keybearer.server.domain.realms import Realm
from keybearer.server.domain.rules import Rule, check_network, check_standing
from keybearer.server.domain.sessions import Session
from keybearer.server.http.cookies import SESSION_COOKIE, cookie_name
from keybearer.server.http.limits import Limits
from keybearer.server.http.request import Request
from keybearer.server.metrics import NO_METRICS, Metrics
from keybearer.server.services import sessions
from keybearer.server.services.context import Context
from keybearer.server.services.key_uses import UseRecorder
from keybearer.server.services.refusals import OnceEvery, RefusalRecorder
from keybearer.server.storage.verification import KeyVerifier

LOGGED_EVERY = timedelta(minutes=1)
"""How often it is logged that keys from one network are refused for one reason."""

_log = logging.getLogger(__name__)


class Identified(msgspec.Struct, frozen=True):
    """A caller with the realm they belong to, and the session or the key that they came by."""

    caller: Caller
    realm: Realm
    session: Session | None = None
    key: VerifiedKey | None = None


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


class _Ended(Unauthenticated):
    """The key was the account's once. Whose it was stands in the log, and on the owner's page."""


class KeyAuthentication:
    """Knows an account by its key."""

    def __init__(
        self,
        verifier: KeyVerifier,
        uses: UseRecorder,
        refusals: RefusalRecorder,
        limits: Limits,
        clock: Callable[[], datetime],
        *,
        metrics: Metrics = NO_METRICS,
    ) -> None:
        self._metrics = metrics
        self._verifier = verifier
        self._uses = uses
        self._refusals = refusals
        self._limits = limits
        self._clock = clock
        self._logged: OnceEvery[tuple[str, str]] = OnceEvery(LOGGED_EVERY, clock)

    async def authenticate(self, authorization: str, host: str, origin: RequestOrigin, rule: Rule) -> Identified:
        """The caller that the header and the Host header name.

        The checks stand in Zulip's order. A key with a wrong checksum is refused before any look-up, with the same
        words. Raises Unauthenticated, WrongNetwork, Refused for another scheme, or TooManyAttempts in the place of a
        failure that is one too many from its network.
        """
        found: VerifiedKey | None = None
        outcome = "malformed"
        try:
            email, key = basic_credentials(authorization)
            outcome = "refused"
            found = await self._verifier.verify(key)
            identified = self._identified(found, email, host, origin, rule)
        except (Unauthenticated, WrongNetwork) as error:
            if isinstance(error, _Ended):
                outcome = "ended"
            else:
                self._say(error, origin, found)
            self._metrics.note_key_check(outcome)
            self._limits.count_failure(origin.network, error)
            raise
        self._metrics.note_key_check("good")
        if found is not None and found.is_under_old_secret and not found.is_account_key:
            self._uses.note_old_digest(found.key_id, key)
        return identified

    def _say(self, error: Unauthenticated | WrongNetwork, origin: RequestOrigin, found: VerifiedKey | None) -> None:
        """Log that a key is refused, and whose it is where that is known: not at every call."""
        if self._logged.is_due((origin.network if found is None else str(found.account.id), error.message)):
            whose = "" if found is None else f" of account {found.account.id}"
            _log.info("keys%s are refused, from %s: %s", whose, origin.address, error.message)

    def _identified(
        self, found: VerifiedKey | None, email: str, host: str, origin: RequestOrigin, rule: Rule
    ) -> Identified:
        if found is None:
            raise Unauthenticated("Invalid API key")
        account, realm = found.account, found.realm
        if found.revoked or found.grant.has_ended(self._clock()):
            self._uses.note_late(found.key_id, account, origin)
            raise _Ended("Invalid API key")
        if account.delivery_email != email and email_key(account.delivery_email) != email_key(email):
            self._refusals.note(account, origin, "its API key was sent with another email address")
            raise Unauthenticated("Invalid API key")
        if not realm.is_active:
            raise Unauthenticated("This organization has been deactivated")
        check_standing(account, by_session=False)
        if not realm.answers_for(host):
            self._refusals.note(account, origin, "its API key was sent to another host")
            raise Unauthenticated("Account is not associated with this subdomain")
        if not found.grant.includes(origin.address):
            self._refusals.note(account, origin, "its API key was used outside of the networks it is for")
            check_network(found.grant, origin.address)
        self._uses.note(found.key_id, origin)
        return Identified(Caller(account, origin, found.key_id, None, rule), realm, None, found)


async def authenticate_session(context: Context, request: Request) -> Identified | None:
    """The caller whose session cookie the request carries; None where it carries none that is good.

    Raises Unauthenticated where the session is good and the account or the organization is not.
    """
    token = request.cookies.get(cookie_name(SESSION_COOKIE, request.scheme))
    if not token:
        return None
    visitor = await sessions.find_visitor(context, Secret(token), request.origin)
    if visitor is None:
        return None
    if not visitor.realm.is_active:
        raise Unauthenticated("This organization has been deactivated", code="REALM_DEACTIVATED")
    check_standing(visitor.account, by_session=True)
    caller = Caller(visitor.account, request.origin, session_id=visitor.session.id)
    return Identified(caller, visitor.realm, visitor.session)
