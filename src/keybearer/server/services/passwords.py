"""Passwords: hashing, strength, checking with a limit on failures, changing and resetting."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, email_key, is_email
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import NewPasswordNeeded, Refused, WeakPassword
from keybearer.server.domain.limits import AttemptKind, Quota
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.services import api_keys, attempts, mail_texts
from keybearer.server.services.context import Change, Context
from keybearer.server.services.lookups import the_account, the_realm
from keybearer.server.storage import accounts, audit, links, sessions

LENGTH = range(8, 129)
LEAST_GUESSES = 10_000
"""zxcvbn's estimate of the guesses a password withstands: Zulip's PASSWORD_MIN_GUESSES."""
_JUDGED = 40
"""Characters of a password that zxcvbn looks at: its time grows with the square."""

_hasher = PasswordHasher()


@cache
def _hash_of_nothing() -> str:
    """Checked where there is no account, so that the answer takes the same time."""
    return _hasher.hash(secrets.token_urlsafe(32))


async def hashed(password: Secret) -> str:
    """The argon2id hash of a password; computed in a thread, for it takes tens of milliseconds on purpose."""
    return await asyncio.to_thread(_hasher.hash, password.reveal())


async def matches(password: Secret, stored: str | None) -> bool:
    """Whether the password is the stored one. Takes as long where nothing is stored."""

    def verify() -> bool:
        try:
            _hasher.verify(stored or _hash_of_nothing(), password.reveal())
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    return await asyncio.to_thread(verify)


def check_strength(password: Secret, *, known: tuple[str, ...] = ()) -> None:
    """Raise WeakPassword unless the password is long and hard enough; `known` are words that are tried first.

    To be called in a thread: a text of many signs that stand for letters takes half a second.
    """
    text = password.reveal()
    if not text.strip() or len(text) < LENGTH.start:
        raise WeakPassword(f"It needs at least {LENGTH.start} characters.")
    if len(text) >= LENGTH.stop:
        raise WeakPassword(f"It may have {LENGTH.stop - 1} characters at the most.")
    if zxcvbn(text[:_JUDGED], user_inputs=[word[:_JUDGED] for word in known])["guesses"] < LEAST_GUESSES:
        raise WeakPassword("It is among the first that an attacker would try.")


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password was right, by which stored hash, and how many more attempts there are."""

    right: bool
    quota: Quota
    stored: str | None = field(default=None, repr=False)


async def check(
    context: Context, account: Account | None, password: Secret, *, email: str, origin: RequestOrigin
) -> Checked:
    """Whether `password` is right for `account` (None: nobody has that email; then it is wrong, and takes as long).

    Attempts are counted for the address and the email together before the password is looked at, so that a parallel
    burst counts too; a right password takes its own count back. Raises TooManyAttempts when the count is used up.
    """
    subject = email_key(email)
    async with context.change(None, origin=origin) as change:
        quota = await attempts.count(change, AttemptKind.PASSWORD, subject)
        stored = await accounts.password_hash(change.connection, account.id if account is not None else 0)
    right = await matches(password, stored) and bool(password)
    if right and stored is not None and account is not None:
        renewed = await hashed(password) if _hasher.check_needs_rehash(stored) else None
        async with context.change(None, origin=origin, holding=[account.id], for_change=True) as change:
            await attempts.forget(change, AttemptKind.PASSWORD, subject)
            if renewed is not None:
                await accounts.renew_password_hash(change.connection, account.id, before=stored, after=renewed)
    return Checked(right, quota, stored)


async def is_right_still(change: Change, account: Account, password: Secret, checked: Checked) -> bool:
    """Whether a password that was right is so yet, in a transaction that holds the account's row.

    Looking at a password takes long enough for another to be set meanwhile, and what is granted for the earlier one
    would outlive it.
    """
    stored = await accounts.password_hash(change.connection, account.id)
    return stored == checked.stored or await matches(password, stored)


async def change_own(
    context: Context, caller: Caller, *, old: Secret, new: Secret, replaces_key: bool = False
) -> Quota:
    """Change the actor's password: every other session ends, a mail is sent.

    The API key stays, as in Zulip, unless `replaces_key`. Raises Refused with `Wrong password!`, WeakPassword, or
    TooManyAttempts after too many wrong ones.
    """
    account = caller.account
    checked = await check(context, account, old, email=account.delivery_email, origin=caller.origin)
    if not checked.right:
        async with context.change(caller) as change:
            await change.record(AuditEvent.PASSWORD_REFUSED, account)
        raise Refused("Wrong password!", quota=checked.quota)
    try:
        await asyncio.to_thread(check_strength, new, known=(account.delivery_email, account.full_name))
    except WeakPassword as error:
        error.quota = checked.quota
        raise
    value = await hashed(new)
    async with context.change(caller, for_change=True) as change:
        actor = change.actor
        if not await is_right_still(change, actor.account, old, checked):
            raise Refused("Wrong password!", quota=checked.quota)
        await _set(change, actor.account, value, keep_session=actor.session_id)
        if replaces_key:
            await api_keys.replace(change, actor.account)
    return checked.quota


async def _set(change: Change, account: Account, value: str, *, keep_session: int | None) -> None:
    await accounts.set_password_hash(change.connection, account.id, value)
    await attempts.forget(change, AttemptKind.PASSWORD, email_key(account.delivery_email), everywhere=True)
    await links.remove_all(change.connection, LinkPurpose.PASSWORD_RESET, account_id=account.id)
    await sessions.remove_all(change.connection, account.id, besides=keep_session)
    await change.record(AuditEvent.PASSWORD_CHANGED, account)
    change.end_polls_of(account.id)
    realm = await the_realm(change.connection)
    await change.send(mail_texts.new_password(realm, account, change.now, change.origin))


async def request_reset(context: Context, email: str, origin: RequestOrigin) -> Quota:
    """Mail a reset link to the address, or say in a mail why there is none.

    The answer shows nothing of it: the same is written in every case, so that it takes as long. Raises
    TooManyAttempts, which depends only on the number of requests.
    """
    found = await _find_id(context, email)
    async with context.change(None, origin=origin, holding=[found or 0]) as change:
        quota = (await attempts.count(change, AttemptKind.PASSWORD_RESETS_OF_ADDRESS, "")).merged(
            await attempts.count(change, AttemptKind.PASSWORD_RESET, email_key(email))
        )
        realm = await the_realm(change.connection)
        account = None if found is None else await accounts.find(change.connection, found)
        person = account if account is not None and not account.is_bot and account.is_active else None
        token = await _reset_link(change, person)
        if person is not None:
            mail = mail_texts.password_reset(realm, person, token)
        else:
            is_deactivated = account is not None and not account.is_bot
            mail = mail_texts.no_password_reset(realm, email.strip(), is_deactivated=is_deactivated)
        await change.send(mail if is_email(mail.recipient) else None)
        details = {"email": audit.printable(email.strip())}
        await change.record(AuditEvent.PASSWORD_RESET_REQUESTED, account, realm=realm, details=details)
    return quota


async def check_chosen(context: Context, account: Account, origin: RequestOrigin) -> None:
    """Raise NewPasswordNeeded, with a new link for it, where somebody else gave the account its password.

    To be asked when the right password was given.
    """
    async with context.reading() as connection:
        if not await accounts.password_is_provisional(connection, account.id):
            return
    async with context.change(None, origin=origin, holding=[account.id]) as change:
        await change.record(AuditEvent.PASSWORD_RESET_REQUESTED, account)
        token = await _reset_link(change, account)
    raise NewPasswordNeeded(token)


async def reset_link_by_operator(context: Context, email: str) -> Secret:
    """The token of a reset link, made on the server's own command line. Raises Refused for bots and strangers."""
    found = await _find_id(context, email)
    async with context.change(None, holding=[found or 0]) as change:
        account = None if found is None else await accounts.find(change.connection, found)
        if account is None or account.is_bot or not account.is_active:
            raise Refused(f"No active person has the email address {email}")
        await change.record(AuditEvent.PASSWORD_RESET_REQUESTED, account)
        return await _reset_link(change, account)


async def _find_id(context: Context, email: str) -> int | None:
    """The id of the account with this address, to be held by the transaction that reads it again."""
    async with context.reading() as connection:
        account = await accounts.find_by_email(connection, (await the_realm(connection)).id, email)
    return None if account is None else account.id


async def _reset_link(change: Change, account: Account | None) -> Secret:
    """A link for the account; one that opens nothing where there is none."""
    token = Secret(secrets.token_urlsafe(32))
    await links.add(
        change.connection,
        token,
        LinkPurpose.PASSWORD_RESET,
        at=change.now,
        account_id=None if account is None else account.id,
        created_by=change.actor_id,
    )
    return token


async def find_reset(context: Context, token: Secret) -> Account | None:
    """Whose password a reset link changes; None where the link is unknown, used or expired."""
    async with context.reading() as connection:
        link = await links.find(connection, token, LinkPurpose.PASSWORD_RESET, context.clock())
        if link is None or link.account_id is None:
            return None
        account = await accounts.find(connection, link.account_id)
        return account if account is not None and account.is_active else None


async def reset(context: Context, token: Secret, new: Secret, origin: RequestOrigin) -> Account:
    """Set a new password by a reset link: the link is used up and all sessions end. Nobody is signed in by it."""
    known = await find_reset(context, token)
    if known is None:
        raise Refused("This link has been used or has expired: ask for a new one.")
    await asyncio.to_thread(check_strength, new, known=(known.delivery_email, known.full_name))
    async with context.reading() as connection:
        is_provisional = await accounts.password_is_provisional(connection, known.id)
        given = await accounts.password_hash(connection, known.id)
    if is_provisional and await matches(new, given):
        raise WeakPassword("It is the one that you were given, which somebody else knows.")
    value = await hashed(new)
    async with context.change(None, origin=origin, holding=[known.id], for_change=True) as change:
        account = await the_account(change.connection, None, known.id)
        link = await links.use(change.connection, token, LinkPurpose.PASSWORD_RESET, change.now)
        if link is None or not account.is_active:
            raise Refused("This link has been used or has expired: ask for a new one.")
        await _set(change, account, value, keep_session=None)
        return account
