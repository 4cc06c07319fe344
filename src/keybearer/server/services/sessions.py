"""Sessions: sign in, sign out, and where somebody is signed in."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from keybearer.errors import StorageError
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import Refused, Unauthenticated
from keybearer.server.domain.limits import Cap, Quota
from keybearer.server.domain.realms import Realm
from keybearer.server.domain.rules import check_standing
from keybearer.server.domain.sessions import Session
from keybearer.server.services import api_keys, mail_texts, passwords
from keybearer.server.services.api_keys import IssuedKey
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_account, the_realm
from keybearer.server.services.passwords import Checked
from keybearer.server.storage import accounts, audit, realms, sessions

SEEN_EVERY = timedelta(minutes=1)
"""How precisely a session's last use is known. Not every request is worth a write."""

TOLD_AFTER = timedelta(seconds=60)
"""Sign-ins are reported by mail to accounts that are at least this old, as in Zulip."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session. `token` is put into the cookie and nowhere else."""

    account: Account
    session: Session
    token: Secret
    reset_link_made: bool = False
    """Whether an administrator has created a link for a new password since the previous sign-in."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """The session of a request, and its account."""

    account: Account
    realm: Realm
    session: Session


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The person who gave the right password, and the details of the check."""

    account: Account
    checked: Checked

    @property
    def quota(self) -> Quota:
        """How many more attempts were left."""
        return self.checked.quota


async def authenticate(context: Context, email: str, password: Secret, origin: RequestOrigin) -> Authenticated:
    """The person with this email and password.

    Raises Unauthenticated with Zulip's code and words: `AUTHENTICATION_FAILED` for an unknown address, for a bot's
    address and for a wrong password, `USER_DEACTIVATED` only if the password is right. Also raises like
    `passwords.check`.
    """
    async with context.reading(origin) as connection:
        realm = await the_realm(connection)
        account = await accounts.find_by_email(connection, realm.id, email)
    person = None if account is None or account.is_bot else account

    def refuse(is_right: bool) -> Unauthenticated | None:
        if person is None or not is_right:
            return Unauthenticated("Your username or password is incorrect", code="AUTHENTICATION_FAILED")
        if not realm.is_active:
            return Unauthenticated("This organization has been deactivated", code="REALM_DEACTIVATED")
        return None if person.is_active else Unauthenticated("Account is deactivated", code="USER_DEACTIVATED")

    async def record(change: Change, refusal: Refused) -> None:
        details = {"email": audit.printable(email.strip()), "because": refusal.code}
        await change.record(AuditEvent.SESSION_REFUSED, account, realm=realm, details=details)

    checked = await passwords.check(context, person, password, email=email, origin=origin, refuse=refuse, record=record)
    assert person is not None
    return Authenticated(person, checked)


async def sign_in(context: Context, email: str, password: Secret, origin: RequestOrigin) -> SignedIn:
    """Open a session by email and password. Raises like `authenticate`."""
    authenticated = await authenticate(context, email, password, origin)
    async with _signing_in(context, authenticated, password, origin) as change:
        account = change.actor.account
        since = (AuditEvent.PASSWORD_RESET_LINK_CREATED, AuditEvent.SESSION_OPENED)
        link_made = await audit.has_happened_since(change.connection, account.id, *since)
        signed_in = await open_session(change, account)
        await _mail_about_sign_in(change, account, got_key=False)
        return replace(signed_in, reset_link_made=link_made)


@asynccontextmanager
async def _signing_in(
    context: Context, authenticated: Authenticated, password: Secret, origin: RequestOrigin
) -> AsyncIterator[Change]:
    """A transaction of the account that gave the right password, as it is now.

    Raises Unauthenticated if the password or the account has changed in the meantime, NewPasswordNeeded if somebody
    else chose the password.
    """
    account_id = authenticated.account.id
    await passwords.check_chosen(context, authenticated.account, origin)
    async with context.change(None, origin=origin, holding=[account_id], for_change=True) as change:
        account = await the_account(change.connection, None, account_id)
        if not await passwords.accept(context, change, account, password, authenticated.checked):
            raise Unauthenticated("Your username or password is incorrect", code="AUTHENTICATION_FAILED")
        check_standing(account, by_session=True)
        yield change.by(account)


async def _mail_about_sign_in(change: Change, account: Account, *, got_key: bool) -> None:
    """Mail the account, unless it is so new that the person has just created it."""
    if change.now - account.date_joined >= TOLD_AFTER:
        realm = await the_realm(change.connection)
        await change.send(mail_texts.new_sign_in(realm, account, change.now, change.origin, got_key=got_key))


async def open_session(change: Change, account: Account) -> SignedIn:
    """Open a session within a transaction. Its token is new, whatever session the browser had before."""
    token = Secret(secrets.token_urlsafe(32))
    ended = await sessions.remove_beyond(change.connection, account.id, Cap.SESSIONS.most - 1)
    if ended:
        await change.record(AuditEvent.SESSION_CLOSED, account, details={"sessions": ended, "because": "too many"})
        change.end_polls_of(account.id)
    session = await sessions.add(
        change.connection,
        token,
        account_id=account.id,
        at=change.now,
        address=change.origin.address,
        client=audit.printable(change.origin.client),
    )
    await change.record(AuditEvent.SESSION_OPENED, account)
    return SignedIn(account, session, token)


async def find_visitor(context: Context, token: Secret, origin: RequestOrigin) -> Visitor | None:
    """The session with a cookie's token, and its account. None if it has ended or is unknown."""
    now = context.clock()
    async with context.reading(origin) as connection:
        session = await sessions.find(connection, token, now)
        if session is None:
            return None
        account = await accounts.find(connection, session.account_id)
        realm = await realms.find(connection)
    if account is None or realm is None:
        return None
    if now - session.last_seen_at >= SEEN_EVERY:
        await _note_seen(context, session, origin)
    return Visitor(account, realm, session)


async def _note_seen(context: Context, session: Session, origin: RequestOrigin) -> None:
    """Record that a session was seen, if that can be written: a full disk keeps nobody from reading."""
    with contextlib.suppress(StorageError):
        async with context.change(None, origin=origin) as change:
            await sessions.touch(
                change.connection, session.id, change.now, address=origin.address, client=audit.printable(origin.client)
            )


async def confirm_password(context: Context, caller: Caller, password: Secret) -> Quota:
    """Record that the person has given their password again now. Returns how many more attempts were left.

    Raises Refused with `Password is incorrect.`, TooManyAttempts after too many wrong ones.
    """
    async with _confirming(context, caller, password) as (_, quota):
        return quota


async def reveal_own_key(context: Context, caller: Caller, password: Secret) -> FetchedKey:
    """Confirm the password and show the actor's own key, in one transaction. Raises like `confirm_password`."""
    async with _confirming(context, caller, password) as (change, quota):
        issued = await api_keys.reveal(change, change.actor.account, AuditEvent.API_KEY_VIEWED)
        return FetchedKey(issued, quota)


@asynccontextmanager
async def _confirming(context: Context, caller: Caller, password: Secret) -> AsyncIterator[tuple[Change, Quota]]:
    """A transaction in which the actor's password is confirmed, and how many more attempts were left."""
    words = "Password is incorrect."
    checked = await passwords.check_own(context, caller, password, words=words)
    async with context.change(caller, for_change=True) as change:
        actor = change.actor
        if not await passwords.accept(context, change, actor.account, password, checked):
            raise Refused(words, quota=checked.quota)
        await change.record(AuditEvent.PASSWORD_CONFIRMED, actor.account)
        if actor.session_id is not None:
            await sessions.confirm(change.connection, actor.session_id, change.now)
        yield change, checked.quota


async def find_all(context: Context, caller: Caller) -> Sequence[Session]:
    """Where the actor is signed in, last seen first."""
    async with context.viewing(caller) as view:
        return await sessions.find_all(view.connection, view.actor.id, view.now)


async def sign_out(context: Context, caller: Caller, session_id: int) -> None:
    """End one of the actor's sessions. Raises Refused if it is not theirs or has ended."""
    async with context.change(caller, for_change=True) as change:
        actor = change.actor
        if not await sessions.remove(change.connection, actor.id, session_id):
            raise Refused("This session has already ended.")
        await change.record(AuditEvent.SESSION_CLOSED, actor.account)
        change.end_polls_of(actor.id)


async def sign_out_everywhere(context: Context, caller: Caller, *, besides_this: bool = True) -> int:
    """End the actor's sessions, by default all except the one that asks. Returns how many."""
    async with context.change(caller, for_change=True) as change:
        actor = change.actor
        kept = actor.session_id if besides_this else None
        ended = await sessions.remove_all(change.connection, actor.id, besides=kept)
        if ended:
            await change.record(AuditEvent.SESSION_CLOSED, actor.account, details={"sessions": ended})
            change.end_polls_of(actor.id)
        return ended


@dataclass(frozen=True, slots=True)
class FetchedKey:
    """The key that a password opened, and how many more attempts were left."""

    issued: IssuedKey
    quota: Quota


async def fetch_key(context: Context, email: str, password: Secret, origin: RequestOrigin) -> FetchedKey:
    """The key of the person with this email and password, who gets a mail about it. Raises like `authenticate`."""
    authenticated = await authenticate(context, email, password, origin)
    async with _signing_in(context, authenticated, password, origin) as change:
        account = change.actor.account
        issued = await api_keys.reveal(change, account, AuditEvent.API_KEY_FETCHED)
        await _mail_about_sign_in(change, account, got_key=True)
    return FetchedKey(issued, authenticated.quota)


@dataclass(frozen=True, slots=True)
class DevelopmentSignIn:
    """What `serve --development` returns for the name of an account: its key and a session."""

    issued: IssuedKey
    signed_in: SignedIn


async def sign_in_for_development(context: Context, email: str, origin: RequestOrigin) -> DevelopmentSignIn:
    """The key of the account with this email, and a session, without a password. Raises Unauthenticated.

    The account may be a bot. Only a server in development mode may offer this.
    """
    async with context.reading() as connection:
        found = await accounts.find_by_email(connection, (await the_realm(connection)).id, email)
    if found is None:
        raise Unauthenticated("Your username or password is incorrect", code="AUTHENTICATION_FAILED")
    async with context.change(None, origin=origin, holding=[found.id], for_change=True) as change:
        realm = await the_realm(change.connection)
        account = await the_account(change.connection, None, found.id)
        if not realm.is_active:
            raise Unauthenticated("This organization has been deactivated", code="REALM_DEACTIVATED")
        check_standing(account, by_session=True)
        acting = change.by(account)
        issued = await api_keys.reveal(acting, account, AuditEvent.API_KEY_FETCHED)
        signed_in = await open_session(acting, account)
        await _mail_about_sign_in(acting, account, got_key=True)
    return DevelopmentSignIn(issued, signed_in)
