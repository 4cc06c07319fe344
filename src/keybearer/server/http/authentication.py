"""Who sends a request: an API key by HTTP Basic, or a session by its cookie."""

from __future__ import annotations

import binascii
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from keybearer import api_key as api_key_format
from keybearer.secret import Secret
from keybearer.server.domain.accounts import email_key
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.api_keys import VerifiedKey
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.errors import NotLoggedIn, Refused, Unauthenticated, WrongNetwork
from keybearer.server.domain.once_every import OnceEvery
from keybearer.server.domain.realms import Realm
from keybearer.server.domain.rules import Rule, check_network, check_standing
from keybearer.server.domain.sessions import Session
from keybearer.server.http.body import parse_fields
from keybearer.server.http.cookies import SESSION_COOKIE, cookie_name
from keybearer.server.http.limits import Limits
from keybearer.server.http.request import Request
from keybearer.server.metrics import NO_METRICS, Metrics
from keybearer.server.services import sessions
from keybearer.server.services.context import Context
from keybearer.server.services.key_uses import UseRecorder
from keybearer.server.services.refusals import RefusalRecorder
from keybearer.server.storage.verification import KeyVerifier

LOGGED_EVERY = timedelta(minutes=1)
"""How often the log reports that keys from one network are refused for one reason."""

NOT_OF_WEBHOOK = "This API key does not belong to an incoming webhook bot. Use the key of such a bot here."
_LONGEST_QUERY = 8192
"""Length of a URL's query in which a key is looked for, in bytes."""

Source = TypeVar("Source")
"""What credentials are read from."""

_log = logging.getLogger(__name__)


class Identified(msgspec.Struct, frozen=True, gc=False):
    """A caller with their realm, and the session or the key that was used."""

    caller: Caller
    realm: Realm
    session: Session | None = None
    key: VerifiedKey | None = None


def basic_credentials(authorization: str) -> tuple[str, Secret]:
    """The email and key of an `Authorization` header. Raises Unauthenticated or Refused in Zulip's order and words.

    The key is well-formed; nothing else about it is checked.
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


def webhook_credentials(request: Request) -> tuple[str | None, Secret]:
    """The key that a service sends, with its email if that is sent too: by HTTP Basic, as `Bearer`, or as `api_key` in
    the URL. Raises NotLoggedIn if there is none, Unauthenticated if it is malformed.
    """
    authorization = request.header(b"authorization")
    scheme, _, given = (authorization or "").partition(" ")
    if authorization is not None and scheme.lower() != "bearer":
        return basic_credentials(authorization)
    if authorization is None:
        given = parse_fields(request.withheld_query[:_LONGEST_QUERY]).get("api_key", "")
    key = given.strip()
    if not key:
        raise NotLoggedIn
    if not api_key_format.is_well_formed(key):
        raise Unauthenticated("Malformed API key")
    return None, Secret(key)


class _Ended(Unauthenticated):
    """The key once belonged to the account. The log, and the owner's page, say whose it was."""


class KeyAuthentication:
    """Identifies an account by its key."""

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

    def authenticate(self, authorization: str, host: str, origin: RequestOrigin, rule: Rule) -> Awaitable[Identified]:
        """The caller that the header and the Host header name, to be awaited.

        The checks are in Zulip's order. A key with a wrong checksum is refused before any look-up, with the same words.
        Raises Unauthenticated, WrongNetwork, Refused for another scheme, or TooManyAttempts instead of a failure that
        is one too many from its network.
        """
        return self._authenticate(basic_credentials, authorization, host, origin, rule)

    def authenticate_webhook(self, request: Request, rule: Rule) -> Awaitable[Identified]:
        """The incoming webhook bot whose key a service sends, by a header or in the URL. To be awaited.

        The key of any other account is refused, even if it is live, and its owner is notified, because URLs are logged
        on their way. Raises like `authenticate`, and NotLoggedIn if there is no key.
        """
        check = self._check_is_of_webhook
        return self._authenticate(webhook_credentials, request, request.host, request.origin, rule, check=check)

    async def _authenticate(
        self,
        credentials: Callable[[Source], tuple[str | None, Secret]],
        source: Source,
        host: str,
        origin: RequestOrigin,
        rule: Rule,
        *,
        check: Callable[[VerifiedKey | None, RequestOrigin], None] | None = None,
    ) -> Identified:
        found: VerifiedKey | None = None
        outcome = "malformed"
        try:
            email, key = credentials(source)
            outcome = "refused"
            found = await self._verifier.verify(key)
            if check is not None:
                check(found, origin)
            identified = self._identified(found, email, host, origin, rule)
        except (Unauthenticated, WrongNetwork) as error:
            if isinstance(error, _Ended):
                outcome = "ended"
            else:
                self._log_refusal(error, origin, found)
            self._metrics.note_key_check(outcome)
            await self._limits.count_failure(origin.network, error)
            raise
        self._metrics.note_key_check("good")
        if found is not None and found.is_under_old_secret and not found.is_account_key:
            self._uses.note_old_digest(found.key_id, key)
        return identified

    def _log_refusal(
        self, error: Unauthenticated | WrongNetwork, origin: RequestOrigin, found: VerifiedKey | None
    ) -> None:
        """Log that a key is refused, and whose it is if that is known. Not every call is logged."""
        if self._logged.is_due((origin.network if found is None else str(found.account.id), error.message)):
            account_id = None if found is None else found.account.id
            whose = "" if account_id is None else f" of account {account_id}"
            about = {"account_id": account_id, "address": origin.address}
            _log.info("keys%s are refused, from %s: %s", whose, origin.address, error.message, extra=about)

    def _check_is_of_webhook(self, found: VerifiedKey | None, origin: RequestOrigin) -> None:
        if found is not None and found.account.bot_type is not BotType.INCOMING_WEBHOOK and not self._has_ended(found):
            reason = "its API key was sent to the address of an incoming webhook"
            self._refusals.note(found.account, origin, reason, tells_owner=True)
            raise Unauthenticated(NOT_OF_WEBHOOK)

    def _has_ended(self, found: VerifiedKey) -> bool:
        grant = found.grant
        return found.revoked or (grant.expires_at is not None and grant.has_ended(self._clock()))

    def _identified(
        self, found: VerifiedKey | None, email: str | None, host: str, origin: RequestOrigin, rule: Rule
    ) -> Identified:
        """`email` is None if the key was sent without one."""
        if found is None:
            raise Unauthenticated("Invalid API key")
        account, realm = found.account, found.realm
        if self._has_ended(found):
            self._uses.note_late(found.key_id, account, origin)
            raise _Ended("Invalid API key")
        known = account.delivery_email
        if email is not None and known != email and email_key(known) != email_key(email):
            self._refusals.note(account, origin, "its API key was sent with another email address")
            raise Unauthenticated("Invalid API key")
        if not realm.is_active:
            raise Unauthenticated("This organization has been deactivated")
        check_standing(account, by_session=False)
        if not realm.answers_for(host):
            self._refusals.note(account, origin, "its API key was sent to another host")
            raise Unauthenticated("Account is not associated with this subdomain")
        if not found.grant.includes(origin.address):
            self._refusals.note(account, origin, "its API key was used outside of the networks that it is limited to")
            check_network(found.grant, origin.address)
        self._uses.note(found.key_id, origin)
        return Identified(Caller(account, origin, found.key_id, None, rule), realm, None, found)


async def authenticate_session(context: Context, request: Request) -> Identified | None:
    """The caller whose session cookie the request has. None if it has no valid one.

    Raises Unauthenticated if the session is valid but the account or the organization is not.
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
