"""Accounts: add people, change them, deactivate and reactivate people and bots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keybearer.secret import Secret
from keybearer.server.domain.accounts import (
    Account,
    EmailVisibility,
    Role,
    check_is_no_display_email,
    checked_email,
    checked_full_name,
    email_key,
)
from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import NotPermitted, Refused, must_be
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.domain.permissions import may_create_bot, may_deactivate, may_give_role
from keybearer.server.services import api_keys, mail_texts, passwords
from keybearer.server.services.context import Change, Context
from keybearer.server.services.lookups import (
    NAMES_AND_ADDRESSES,
    OWNERS,
    account_for_change,
    check_name_free,
    find_addressed,
    hold_ownership,
    the_realm,
)
from keybearer.server.services.messaging import channels
from keybearer.server.storage import accounts, links, sessions
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import newest_messages


async def find_all(context: Context, realm_id: int) -> Sequence[Account]:
    """Everybody of the realm, bots and the deactivated too."""
    async with context.reading() as connection:
        return await accounts.find_all(connection, realm_id)


async def find(context: Context, viewer: Account, account_id: int) -> Account:
    """An account of the viewer's realm. Raises Refused with `No such user`."""
    async with context.reading() as connection:
        account = await accounts.find(connection, account_id)
    if account is None or account.realm_id != viewer.realm_id:
        raise Refused("No such user")
    return account


async def find_by_email(context: Context, viewer: Account, email: str) -> Account:
    """An account of the viewer's realm by its delivery email, where the viewer may see that, or its display email.

    Raises Refused with `No such user`.
    """
    async with context.reading() as connection:
        account = (await find_addressed(connection, viewer, [email])).get(email_key(email))
    if account is None:
        raise Refused("No such user")
    return account


async def find_for_operator(context: Context, email: str) -> Account:
    """The account with this delivery email, for the server's own command line. Raises Refused where there is none."""
    async with context.reading() as connection:
        realm = await the_realm(connection)
        account = await accounts.find_by_email(connection, realm.id, email)
    if account is None:
        raise Refused(f"No account has the email address {email.strip()!r}")
    return account


async def add_by_operator(context: Context, *, email: str, full_name: str, role: Role, password: Secret) -> Account:
    """Add a person from the server's own command line."""
    email, full_name = checked_email(email), checked_full_name(full_name)
    passwords.check_strength(password, known=(email, full_name))
    hashed = await passwords.hashed(password)
    async with context.change(None) as change:
        return await add(change, email=email, full_name=full_name, role=role, password_hash=hashed)


async def add(
    change: Change,
    *,
    email: str,
    full_name: str,
    role: Role,
    password_hash: str,
    invited_by: int | None = None,
) -> Account:
    """Add a person with a first API key, in a transaction under way. The values have been checked."""
    realm = await the_realm(change.connection)
    check_is_no_display_email(email, realm.bot_domain)
    await take_turn(change.connection, NAMES_AND_ADDRESSES)
    if await accounts.find_by_email(change.connection, realm.id, email) is not None:
        raise Refused("Email is already in use.")
    account = await accounts.add(
        change.connection,
        realm_id=realm.id,
        email=email,
        full_name=full_name,
        role=role,
        date_joined=change.now,
        password_hash=password_hash,
    )
    await change.record(AuditEvent.ACCOUNT_CREATED, account, details={"role": role.label, "invited_by": invited_by})
    change.tell_added(account)
    await api_keys.issue(change, account)
    await change.record(AuditEvent.API_KEY_ISSUED, account)
    await channels.follow_defaults(change, account)
    return account


async def change_person(
    context: Context, caller: Caller, account_id: int, *, full_name: str | None = None, role: int | None = None
) -> Account:
    """Rename a person or change their role, for administrators; bots too, as Zulip's endpoint does."""
    async with context.change(caller) as change:
        actor = change.actor
        account = await account_for_change(change, account_id)
        if not actor.account.is_administrator:
            raise NotPermitted
        if role is not None and role != account.role:
            account = await _with_role(change, account, role)
        if full_name is not None and full_name.strip() != account.full_name:
            account = await _renamed(change, account, full_name)
        return account


@dataclass(frozen=True, slots=True)
class OwnChange:
    """What of their own account a person changes; None leaves a field as it is."""

    full_name: str | None = None
    email_visibility: EmailVisibility | None = None
    login_mails: bool | None = None


async def change_own(context: Context, caller: Caller, wanted: OwnChange) -> Account:
    """Change the actor's own name, who sees their address, and whether they are told of sign-ins."""
    async with context.change(caller) as change:
        actor = change.actor
        account = await account_for_change(change, actor.id)
        if wanted.full_name is not None and wanted.full_name.strip() != account.full_name:
            account = await _renamed(change, account, wanted.full_name)
        changed = replace(
            account,
            email_visibility=account.email_visibility if wanted.email_visibility is None else wanted.email_visibility,
            login_mails=account.login_mails if wanted.login_mails is None else wanted.login_mails,
        )
        if changed != account:
            await accounts.save(change.connection, changed)
            names = [name for name in ("email_visibility", "login_mails") if getattr(wanted, name) is not None]
            await change.record(AuditEvent.ACCOUNT_CHANGED, changed, details={"changed": names})
        return changed


async def _renamed(change: Change, account: Account, full_name: str) -> Account:
    renamed = replace(account, full_name=checked_full_name(full_name))
    if account.is_bot:
        await check_name_free(change, account.realm_id, renamed.full_name, besides=account.id)
    await accounts.save(change.connection, renamed)
    await change.record(
        AuditEvent.ACCOUNT_RENAMED, renamed, details={"from": account.full_name, "to": renamed.full_name}
    )
    change.tell_changed(renamed, "full_name")
    return renamed


async def _with_role(change: Change, account: Account, number: int) -> Account:
    try:
        role = Role(number)
    except ValueError:
        raise Refused("Invalid role") from None
    if change.acting is not None and not may_give_role(change.actor.account, account, role):
        raise must_be("owner")
    if account.is_owner and not account.is_bot and await _is_last_owner(change, account):
        raise Refused("The owner permission cannot be removed from the only organization owner.")
    changed = replace(account, granted_role=role)
    await accounts.save(change.connection, changed)
    await change.record(
        AuditEvent.ACCOUNT_ROLE_CHANGED, changed, details={"from": account.role.label, "to": role.label}
    )
    change.tell_changed(changed, "role")
    return changed


async def _is_last_owner(change: Change, account: Account) -> bool:
    await take_turn(change.connection, OWNERS)
    return await accounts.count_active_people(change.connection, account.realm_id, least_role=Role.OWNER) <= 1


async def deactivate_person(
    context: Context, caller: Caller | None, account_id: int, *, comment: str | None = None
) -> None:
    """Deactivate somebody else, for administrators or the operator: their bots too, every session ends.

    The key is not revoked, so that the answer to it is `Account is deactivated`. Bots are no people here (`No such
    user`). Doing it twice is no error.
    """
    async with context.change(caller) as change:
        actor = change.acting
        await hold_ownership(change)
        account = await account_for_change(change, account_id)
        if account.is_bot:
            raise Refused("No such user")
        if actor is not None and not actor.account.is_administrator:
            raise NotPermitted
        if actor is not None and not may_deactivate(actor.account, account):
            raise must_be("owner")
        if account.is_active and account.is_owner and await _is_last_owner(change, account):
            raise Refused("Cannot deactivate the only organization owner")
        if account.is_active:
            await _deactivate(change, account)
            realm = await the_realm(change.connection)
            await change.send(None if comment is None else mail_texts.account_deactivated(realm, account, comment))


async def deactivate_own(context: Context, caller: Caller) -> None:
    """Deactivate the actor. The last owner, or the last person, is refused."""
    async with context.change(caller) as change:
        actor = change.actor
        await hold_ownership(change)
        account = await account_for_change(change, actor.id)
        is_last_owner = account.is_owner and await _is_last_owner(change, account)
        if is_last_owner or await accounts.count_active_people(change.connection, account.realm_id) <= 1:
            entity = "organization owner" if is_last_owner else "user"
            raise Refused(
                f"Cannot deactivate the only {entity}.",
                code="CANNOT_DEACTIVATE_LAST_USER",
                extra={"is_last_owner": is_last_owner, "entity": entity},
            )
        await _deactivate(change, account)


async def _deactivate(change: Change, account: Account) -> None:
    for bot in await accounts.find_bots_of(change.connection, account.id, for_change=True):
        if bot.is_active:
            await deactivate_account(change, bot)
    await sessions.remove_all(change.connection, account.id)
    await links.remove_all(change.connection, LinkPurpose.INVITATION, created_by=account.id)
    await links.remove_all(change.connection, LinkPurpose.PASSWORD_RESET, account_id=account.id)
    await deactivate_account(change, account)


async def deactivate_account(change: Change, account: Account) -> None:
    """Mark a person's or a bot's account as deactivated, and end its polls. Its key stays, and is refused."""
    deactivated = replace(account, is_active=False)
    await accounts.save(change.connection, deactivated)
    await change.record(AuditEvent.ACCOUNT_DEACTIVATED, deactivated)
    change.end_polls_of(account.id)
    change.tell_changed(deactivated, "is_active")


async def reactivate(context: Context, caller: Caller, account_id: int) -> Account:
    """Reactivate a person (administrators) or a bot (its owner too), with a new key: the old one stays dead."""
    async with context.change(caller) as change:
        actor = change.actor
        await hold_ownership(change)
        account = await accounts.find(change.connection, account_id, for_change=True)
        if account is None or account.realm_id != actor.account.realm_id:
            raise Refused("No such user")
        realm = await the_realm(change.connection)
        if account.bot_type is not None and account.bot_owner_id == actor.id:
            if not may_create_bot(actor.account, account.bot_type, realm):
                raise NotPermitted
        elif not actor.account.is_administrator or (account.is_owner and not actor.account.is_owner):
            raise NotPermitted
        if account.is_active:
            return account
        account = await _reactivated(change, account, actor)
        await accounts.save(change.connection, account)
        await change.record(AuditEvent.ACCOUNT_REACTIVATED, account)
        change.tell_changed(account, "is_active")
        await api_keys.replace(change, account, because="reactivated")
        return account


async def _reactivated(change: Change, account: Account, actor: Actor) -> Account:
    account = replace(account, is_active=True)
    if not account.is_bot:
        return account
    await take_turn(change.connection, NAMES_AND_ADDRESSES)
    if await accounts.is_name_taken(change.connection, account.realm_id, account.full_name, besides=account.id):
        raise Refused(
            f'There is already an active bot named "{account.full_name}" in this organization. To reactivate this bot, '
            "you must rename or deactivate the other one first."
        )
    owner = await accounts.find(change.connection, account.bot_owner_id) if account.bot_owner_id else None
    if owner is None or not owner.is_active:
        account = replace(account, bot_owner_id=actor.id)
        await change.record(AuditEvent.BOT_OWNER_CHANGED, account, details={"owner": actor.id})
        change.tell_changed(account, "bot_owner_id")
    return account


async def find_newest_message_id(context: Context, account_id: int) -> int:
    """The newest message that an account was sent; -1 where there is none."""
    async with context.reading() as connection:
        return await newest_messages.find(connection, account_id)
