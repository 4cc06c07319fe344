"""Passwords: their strength, checking them with a limit on failures, changing and resetting them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, email_key, is_email
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.attempts import AttemptKind
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import NewPasswordNeeded, Refused, WeakPassword
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.limits import Quota
from keybearer.server.domain.links import FOR_OTHERS, LinkPurpose
from keybearer.server.services import api_keys, attempts, mail_texts, reset_links
from keybearer.server.services.attempts import PasswordAttempt
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.links import make_link
from keybearer.server.services.lookups import the_account, the_realm
from keybearer.server.storage import accounts, audit, links, sessions

LENGTH = range(8, 129)
LEAST_GUESSES = 10_000
"""How many guesses a password must withstand by zxcvbn's estimate: Zulip's PASSWORD_MIN_GUESSES."""
INVALID_LINK = "This link has been used or has expired: ask for a new one."
_JUDGED = 40
"""Characters of a password that zxcvbn looks at. Its time grows with the square of their number."""


def check_strength(password: Secret, *, known: tuple[str, ...] = ()) -> None:
    """Raise WeakPassword unless the password is long and hard enough. `known` are words that attackers try first.

    Call it in a thread: a text of many signs that stand for letters takes half a second.
    """
    text = password.reveal()
    if not text.strip() or len(text) < LENGTH.start:
        raise WeakPassword(f"It needs at least {LENGTH.start} characters.")
    if len(text) >= LENGTH.stop:
        raise WeakPassword(f"It may have at most {LENGTH.stop - 1} characters.")
    from zxcvbn import zxcvbn  # noqa: PLC0415  its dictionaries are slow to load, and new passwords are rare

    if zxcvbn(text[:_JUDGED], user_inputs=[word[:_JUDGED] for word in known])["guesses"] < LEAST_GUESSES:
        raise WeakPassword("It is among the first that an attacker would try.")


@dataclass(frozen=True, slots=True)
class Checked:
    """A correct password: the attempt, and the stored hash that it matches."""

    attempt: PasswordAttempt
    stored: str | None = field(repr=False)

    @property
    def quota(self) -> Quota:
        """How many more attempts were left."""
        return self.attempt.quota


async def check(
    context: Context,
    account: Account | None,
    password: Secret,
    *,
    email: str,
    origin: RequestOrigin,
    refuse: Callable[[bool], Refused | None],
    record: Callable[[Change, Refused], Awaitable[None]],
    caller: Caller | None = None,
) -> Checked:
    """Check a password of `account`. If it is None, nobody has that email; then the password is wrong, and checking
    takes as long.

    `refuse` is given whether the password is right and returns the error to raise; `record` writes the failure into the
    audit log. A refused attempt is counted for the address and the email together. Raises TooManyAttempts when there
    were too many, and Overloaded if too many wait to be checked.
    """
    async with attempts.trying_password(context, email, origin) as attempt:
        async with context.reading(origin) as connection:
            stored = await accounts.password_hash(connection, 0 if account is None else account.id)
        refusal = refuse(await context.hasher.matches(password, stored))
        if refusal is not None:
            async with context.change(caller, origin=origin) as change:
                await attempt.fail(change)
                await record(change, refusal)
            refusal.quota = attempt.quota
            raise refusal
        if account is not None and stored is not None:
            stored = await _renewed(context, account, password, stored)
        return Checked(attempt, stored)


async def _renewed(context: Context, account: Account, password: Secret, stored: str) -> str:
    """The hash of a correct password to store from now on. It is a new one if the current one has weaker settings."""
    renewed = await context.hasher.renewed(password, stored)
    if renewed is None:
        return stored
    async with context.change(None, holding=[account.id], for_change=True) as change:
        await accounts.renew_password_hash(change.connection, account.id, before=stored, after=renewed)
    return renewed


async def accept(context: Context, change: Change, account: Account, password: Secret, checked: Checked) -> bool:
    """Whether a password that was right is still right, in a transaction that holds the account's row.

    Checking a password takes long enough for another to be set in the meantime. What is granted for the earlier one
    would then outlive it.
    """
    stored = await accounts.password_hash(change.connection, account.id)
    if stored != checked.stored and not await context.hasher.matches(password, stored):
        return False
    await checked.attempt.succeed(change)
    return True


async def check_own(context: Context, caller: Caller, password: Secret, *, words: str) -> Checked:
    """Check the password that the caller enters again. Raises Refused with these words, and like `check`."""

    async def record(change: Change, _refusal: Refused) -> None:
        await change.record(AuditEvent.PASSWORD_REFUSED, change.actor.account)

    return await check(
        context,
        caller.account,
        password,
        email=caller.account.delivery_email,
        origin=caller.origin,
        refuse=lambda is_right: None if is_right else Refused(words),
        record=record,
        caller=caller,
    )


async def change_own(
    context: Context, caller: Caller, *, old: Secret, new: Secret, replaces_key: bool = False
) -> Quota:
    """Change the actor's password. All other sessions end, and a mail is sent.

    The API key stays, as in Zulip, unless `replaces_key`. Then somebody else may have had both, so the actor's open
    invitations and hand-over links end too. Raises Refused with `Wrong password!`, WeakPassword, or
    TooManyAttempts after too many wrong ones.
    """
    account = caller.account
    checked = await check_own(context, caller, old, words="Wrong password!")
    try:
        await asyncio.to_thread(check_strength, new, known=(account.delivery_email, account.full_name))
    except WeakPassword as error:
        error.quota = checked.quota
        raise
    value = await context.hasher.hash(new)
    ending_keys_of = caller.id if replaces_key else None
    async with context.change(caller, for_change=True, ending_keys_of=ending_keys_of) as change:
        actor = change.actor
        actor.check_scope(Scope.KEYS)
        if not await accept(context, change, actor.account, old, checked):
            raise Refused("Wrong password!", quota=checked.quota)
        await _set_password(change, actor.account, value, keep_session=actor.session_id)
        if replaces_key:
            await api_keys.replace(change, actor.account)
            for purpose in FOR_OTHERS:
                await links.remove_all(change.connection, purpose, created_by=actor.id)
    return checked.quota


async def _set_password(change: Change, account: Account, value: str, *, keep_session: int | None) -> None:
    await accounts.set_password_hash(change.connection, account.id, value)
    await attempts.forget_passwords(change, account.delivery_email)
    for purpose in (LinkPurpose.PASSWORD_RESET, LinkPurpose.EMAIL_CHANGE):
        await links.remove_all(change.connection, purpose, account_id=account.id)
    await sessions.remove_all(change.connection, account.id, besides=keep_session)
    await change.record(AuditEvent.PASSWORD_CHANGED, account)
    change.end_polls_of(account.id)
    realm = await the_realm(change.connection)
    await change.send(mail_texts.new_password(realm, account, change.now, change.origin))


async def request_reset(context: Context, email: str, origin: RequestOrigin) -> Quota:
    """Mail a reset link to the address, or say in a mail why there is none.

    The answer does not show which. In every case the same is written, so that it takes as long. Raises TooManyAttempts,
    which depends only on the number of requests.
    """
    found = await _find_id(context, email)
    async with context.change(None, origin=origin, holding=[found or 0]) as change:
        quota = (await attempts.count(change, AttemptKind.PASSWORD_RESETS_OF_ADDRESS, "", context.metrics)).merged(
            await attempts.count(change, AttemptKind.PASSWORD_RESET, email_key(email), context.metrics)
        )
        realm = await the_realm(change.connection)
        account = None if found is None else await accounts.find(change.connection, found)
        person = account if account is not None and not account.is_bot and account.is_active else None
        token = await make_link(change, LinkPurpose.PASSWORD_RESET, None if person is None else person.id)
        if person is not None:
            mail = mail_texts.password_reset(realm, person, token)
        else:
            is_deactivated = account is not None and not account.is_bot
            mail = mail_texts.no_password_reset(realm, email.strip(), is_deactivated=is_deactivated)
        if is_email(mail.recipient):
            await change.check_mails([mail.recipient])
            await change.send(mail)
        details = {"email": audit.printable(email.strip())}
        await change.record(AuditEvent.PASSWORD_RESET_REQUESTED, account, realm=realm, details=details)
    return quota


async def check_chosen(context: Context, account: Account, origin: RequestOrigin) -> None:
    """Raise NewPasswordNeeded, with a new link for it, if somebody else set the account's password.

    Call it when the password that was given is right.
    """
    async with context.reading(origin) as connection:
        if not await accounts.password_is_provisional(connection, account.id):
            return
    async with context.change(None, origin=origin, holding=[account.id]) as change:
        await change.record(AuditEvent.PASSWORD_RESET_REQUESTED, account)
        token = await make_link(change, LinkPurpose.PASSWORD_RESET, account.id)
    raise NewPasswordNeeded(token)


async def reset_link_by_operator(context: Context, email: str) -> Secret:
    """The token of a reset link, created on the server's own command line. Raises Refused for bots and unknown
    addresses.
    """
    found = await _find_id(context, email)
    async with context.change(None, holding=[found or 0]) as change:
        account = None if found is None else await accounts.find(change.connection, found)
        if account is None or account.is_bot or not account.is_active:
            raise Refused(f"No active person has the email address {email}")
        await change.record(AuditEvent.PASSWORD_RESET_REQUESTED, account)
        return await make_link(change, LinkPurpose.PASSWORD_RESET, account.id)


async def _find_id(context: Context, email: str) -> int | None:
    """The id of the account with this address. The transaction that uses it locks the account and reads it again."""
    async with context.reading() as connection:
        account = await accounts.find_by_email(connection, (await the_realm(connection)).id, email)
    return None if account is None else account.id


async def find_reset(context: Context, token: Secret) -> Account | None:
    """Whose password a reset link changes. None if the link is unknown, used or expired."""
    async with context.reading() as connection:
        found = await reset_links.find(connection, token, context.clock())
    return None if found is None else found[1]


async def reset(context: Context, token: Secret, new: Secret, origin: RequestOrigin) -> Account:
    """Set a new password with a reset link: the link is used up and all sessions end. Nobody is signed in by it."""
    async with context.reading() as connection:
        found = await reset_links.find(connection, token, context.clock())
    if found is None:
        raise Refused(INVALID_LINK)
    known, maker = found[1], found[0].created_by
    await asyncio.to_thread(check_strength, new, known=(known.delivery_email, known.full_name))
    async with context.reading() as connection:
        is_provisional = await accounts.password_is_provisional(connection, known.id)
        given = await accounts.password_hash(connection, known.id)
    if is_provisional and await context.hasher.matches(new, given):
        raise WeakPassword("It is the one that you were given, which somebody else knows.")
    value = await context.hasher.hash(new)
    holding = [known.id] if maker is None else [known.id, maker]
    async with context.change(None, origin=origin, holding=holding, for_change=True) as change:
        account = await the_account(change.connection, None, known.id)
        link = await links.use(change.connection, token, LinkPurpose.PASSWORD_RESET, change.now)
        if link is None or not await reset_links.is_valid(change.connection, link, account):
            raise Refused(INVALID_LINK)
        await _set_password(change, account, value, keep_session=None)
        return account
