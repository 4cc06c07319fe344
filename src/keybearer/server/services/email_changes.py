"""Changes of one's own email. A link to the new address confirms the change; a link to the old address undoes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, check_is_no_display_email, checked_email, email_key
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.attempts import AttemptKind
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import NotPermitted, Refused
from keybearer.server.domain.links import Link, LinkPurpose
from keybearer.server.services import attempts, mail_texts, sessions
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.links import make_link
from keybearer.server.services.lookups import NAMES_AND_ADDRESSES, the_account, the_realm
from keybearer.server.storage import accounts, links
from keybearer.server.storage import sessions as stored_sessions
from keybearer.server.storage.dialect import take_turn

INVALID_LINK = "This link has been used or has expired."


@dataclass(frozen=True, slots=True)
class EmailChange:
    """What a link does: it gives the account this email."""

    account: Account
    email: str


async def request(context: Context, caller: Caller, email: str, password: Secret) -> None:
    """Mail a link to a new address. With it, the address becomes the actor's email within an hour.

    Nothing shows whether somebody already has that address; in that case the mail says so. Raises Refused for a wrong
    password, an invalid address, the current one, and if the server sends no mail; NotPermitted without a session;
    TooManyAttempts.
    """
    if context.settings.smtp_url is None:
        raise Refused("This server sends no mail: ask its operator to change your email.")
    email = checked_email(email)
    if email_key(email) == email_key(caller.account.delivery_email):
        raise Refused("This is already your email.")
    await sessions.confirm_password(context, caller, password)
    async with context.change(caller, for_change=True) as change:
        account = change.actor.account
        if change.actor.session is None:
            raise NotPermitted("An email can only be changed on the web pages.")
        realm = await the_realm(change.connection)
        check_is_no_display_email(email, realm.bot_domain)
        await attempts.count(change, AttemptKind.EMAIL_CHANGE, str(account.id), context.metrics)
        await change.check_mails([email])
        await links.remove_all(change.connection, LinkPurpose.EMAIL_CHANGE, account_id=account.id)
        token = await make_link(change, LinkPurpose.EMAIL_CHANGE, account.id, email=email)
        await change.record(AuditEvent.ACCOUNT_EMAIL_CHANGE_REQUESTED, account, details={"to": email})
        if await _is_free(change.connection, account, email):
            await change.send(mail_texts.email_change(realm, account, email, token))
        else:
            await change.send(mail_texts.email_taken(realm, email))


async def _is_free(connection: AsyncConnection, account: Account, email: str) -> bool:
    """Whether nobody has the address, or only the account itself, in another case."""
    other = await accounts.find_by_email(connection, account.realm_id, email)
    return other is None or other.id == account.id


async def find_change(context: Context, caller: Caller, token: Secret) -> EmailChange | None:
    """The change that the link to a new address makes for the actor. None if it makes none. Looking changes nothing."""
    async with context.viewing(caller) as view:
        link = await links.find(view.connection, token, LinkPurpose.EMAIL_CHANGE, view.now)
        return await _valid_change(view.connection, link, caller.id)


async def find_undo(context: Context, token: Secret) -> EmailChange | None:
    """The change that the link to an earlier address makes. None if it makes none. Looking changes nothing."""
    async with context.reading() as connection:
        link = await links.find(connection, token, LinkPurpose.EMAIL_UNDO, context.clock())
        return None if link is None else await _valid_change(connection, link, link.account_id)


async def _valid_change(connection: AsyncConnection, link: Link | None, account_id: int | None) -> EmailChange | None:
    """The change, if it can currently be made: it is this account's, which is active, and the address is free."""
    if link is None or link.account_id is None or link.account_id != account_id:
        return None
    account = await accounts.find(connection, link.account_id)
    if account is None or not account.is_active or not await _is_free(connection, account, link.email):
        return None
    return EmailChange(account, link.email)


async def confirm(context: Context, caller: Caller, token: Secret) -> Account:
    """Use up the link to a new address: the actor gets that address, and the earlier address gets a link to undo it.

    Reset links end, and so do all sessions except the actor's. Raises Refused if the link does nothing for the actor.
    """
    async with context.change(caller, for_change=True) as change:
        wanted = await _use_link(change, token, LinkPurpose.EMAIL_CHANGE, caller.id)
        old = wanted.account.delivery_email
        changed = await _set_email(change, wanted, keep_session=change.actor.session_id, details={})
        undo = await make_link(change, LinkPurpose.EMAIL_UNDO, changed.id, email=old)
        realm = await the_realm(change.connection)
        await change.send(mail_texts.email_changed(realm, old, changed, undo, at=change.now, origin=change.origin))
        return changed


async def undo(context: Context, token: Secret, origin: RequestOrigin) -> Account:
    """Use up the link to an earlier address: the account gets that address back.

    All sessions end, and so do all other links that change the email or the password. Raises Refused like `confirm`.
    """
    async with context.reading() as connection:
        found = await links.find(connection, token, LinkPurpose.EMAIL_UNDO, context.clock())
    if found is None or found.account_id is None:
        raise Refused(INVALID_LINK)
    async with context.change(None, origin=origin, holding=[found.account_id], for_change=True) as change:
        wanted = await _use_link(change, token, LinkPurpose.EMAIL_UNDO, found.account_id)
        changed = await _set_email(change.by(wanted.account), wanted, keep_session=None, details={"undone": True})
        await links.remove_all(change.connection, LinkPurpose.EMAIL_UNDO, account_id=changed.id)
        return changed


async def _use_link(change: Change, token: Secret, purpose: LinkPurpose, account_id: int) -> EmailChange:
    """Use up a link of an account. Until the transaction ends, nobody else can take the address. Raises Refused."""
    await take_turn(change.connection, NAMES_AND_ADDRESSES)
    link = await links.use(change.connection, token, purpose, change.now)
    wanted = await _valid_change(change.connection, link, account_id)
    if wanted is None:
        raise Refused(INVALID_LINK)
    return wanted


async def change_by_operator(context: Context, account_id: int, email: str) -> Account:
    """Give a person another email, on the server's own command line. All their sessions and links end.

    Raises Refused for bots, for an invalid address and for one that an account already has, even the person themselves.
    """
    email = checked_email(email)
    async with context.change(None, holding=[account_id], for_change=True) as change:
        account = await the_account(change.connection, None, account_id)
        if account.is_bot:
            raise Refused("Bots have the email that their name gives them: rename the bot instead.")
        if email == account.delivery_email:
            raise Refused(f"{account.full_name} has that email address already.")
        await take_turn(change.connection, NAMES_AND_ADDRESSES)
        check_is_no_display_email(email, (await the_realm(change.connection)).bot_domain)
        if not await _is_free(change.connection, account, email):
            raise Refused("Email is already in use.")
        changed = await _set_email(change, EmailChange(account, email), keep_session=None, details={})
        await links.remove_all(change.connection, LinkPurpose.EMAIL_UNDO, account_id=changed.id)
        return changed


async def _set_email(
    change: Change, wanted: EmailChange, *, keep_session: int | None, details: Mapping[str, object]
) -> Account:
    """Write the new email, end what depended on the old one, and tell others. The address must be free."""
    account = wanted.account
    changed = account._replace(delivery_email=wanted.email)
    await accounts.save(change.connection, changed)
    for purpose in (LinkPurpose.PASSWORD_RESET, LinkPurpose.EMAIL_CHANGE):
        await links.remove_all(change.connection, purpose, account_id=account.id)
    await stored_sessions.remove_all(change.connection, account.id, besides=keep_session)
    details = {"from": account.delivery_email, "to": wanted.email, **details}
    await change.record(AuditEvent.ACCOUNT_EMAIL_CHANGED, changed, details=details)
    change.tell_changed(changed, "new_email")
    change.end_polls_of(account.id)
    return changed
