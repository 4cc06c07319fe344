"""Accounts: add and change people."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from keybearer.secret import Secret
from keybearer.server.domain import account_events
from keybearer.server.domain.account_events import SETTINGS
from keybearer.server.domain.accounts import (
    Account,
    EmailVisibility,
    Role,
    checked_email,
    checked_full_name,
    checked_role,
)
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import NotPermitted, Refused, WeakPassword
from keybearer.server.domain.links import DEFAULT_CHANNELS, Joins
from keybearer.server.domain.permissions import check_may_give_role, may_change_people
from keybearer.server.services import api_keys, key_endings, passwords
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import check_email_free, check_name_free, is_last_owner, the_account, the_realm
from keybearer.server.services.messaging import channels
from keybearer.server.storage import accounts
from keybearer.server.storage.messaging import newest_messages


async def find_all_for_operator(context: Context) -> Sequence[Account]:
    """All accounts, including bots and deactivated ones, for the server itself. Raises Refused before set-up."""
    async with context.reading() as connection:
        return await accounts.find_all(connection, (await the_realm(connection)).id)


async def find_for_operator(context: Context, email: str) -> Account:
    """The account with this delivery email, for the server's own command line. Raises Refused if there is none."""
    async with context.reading() as connection:
        account = await accounts.find_by_email(connection, (await the_realm(connection)).id, email)
    if account is None:
        raise Refused(f"No account has the email address {email.strip()!r}")
    return account


async def add_by_operator(context: Context, *, email: str, full_name: str, role: Role, password: Secret) -> Account:
    """Add a person from the server's own command line."""
    email, full_name = checked_email(email), checked_full_name(full_name)
    await asyncio.to_thread(passwords.check_strength, password, known=(email, full_name))
    hashed = await context.hasher.hash(password)
    async with context.change(None) as change:
        return await add(change, email=email, full_name=full_name, role=role, password_hash=hashed)


async def add_by_administrator(
    context: Context, caller: Caller, *, email: str, full_name: str, password: Secret
) -> Account:
    """Add a member whose password works once: they must choose another one before anything else.

    Raises Refused with Zulip's words, NotPermitted if the actor is not an administrator.
    """
    email, full_name = checked_email(email), checked_full_name(full_name)
    try:
        await asyncio.to_thread(passwords.check_strength, password, known=(email, full_name))
    except WeakPassword as error:
        raise Refused("The password is too weak.", extra=error.extra) from None
    hashed = await context.hasher.hash(password)
    async with context.change(caller) as change:
        if not may_change_people(change.actor.account):
            raise NotPermitted
        return await add(
            change,
            email=email,
            full_name=full_name,
            role=Role.MEMBER,
            password_hash=hashed,
            password_is_provisional=True,
        )


async def add(
    change: Change,
    *,
    email: str,
    full_name: str,
    role: Role,
    password_hash: str,
    password_is_provisional: bool = False,
    invited_by: int | None = None,
    joins: Joins = DEFAULT_CHANNELS,
    created_with: int | None = None,
) -> Account:
    """Add a person with a first API key, within a transaction. The values must already be checked.

    The key ends with the named key `created_with`, or else with the one that the actor used.
    """
    realm = await the_realm(change.connection)
    await check_email_free(change, realm.id, email)
    account = await accounts.add(
        change.connection,
        realm_id=realm.id,
        email=email,
        full_name=full_name,
        role=role,
        date_joined=change.now,
        password_hash=password_hash,
        password_is_provisional=password_is_provisional,
    )
    await change.record(AuditEvent.ACCOUNT_CREATED, account, details={"role": role.label, "invited_by": invited_by})
    change.tell_added(account)
    await api_keys.issue(change, account, created_with=created_with)
    await change.record(AuditEvent.API_KEY_ISSUED, account)
    await channels.follow_first(change, account, joins, invited_by=invited_by)
    return account


async def change_person(
    context: Context,
    caller: Caller | None,
    account_id: int,
    *,
    full_name: str | None = None,
    role: int | None = None,
    email: str | None = None,
    field_ids: Sequence[int] = (),
) -> Account:
    """Rename a person or bot, or change their role, as in Zulip. For administrators or the operator.

    Raises PasswordNeeded if the role rises and the actor's session gave its password too long ago. Raises Refused with
    Zulip's words if `email` differs from the account's, and for any profile field.
    """
    keys_made_by = None if role is None else account_id
    async with context.change(caller, holding=[account_id], for_change=True, with_keys_made_by=keys_made_by) as change:
        actor = change.acting_account
        account = await the_account(change.connection, actor, account_id)
        if actor is not None and not may_change_people(actor):
            raise NotPermitted
        if email is not None and email != account.delivery_email:
            raise NotPermitted("User not authorized to change user emails")
        for field_id in field_ids:
            raise Refused(f"Field id {field_id} not found.")
        if role is not None and role != account.granted_role:
            account = await _with_role(change, account, checked_role(role))
        if full_name is not None and full_name.strip() != account.full_name:
            account = await _renamed(change, account, full_name)
        return account


@dataclass(frozen=True, slots=True)
class OwnChange:
    """What a person changes on their own account. None leaves a field as it is."""

    full_name: str | None = None
    timezone: str | None = None
    email_visibility: EmailVisibility | None = None
    login_mails: bool | None = None


async def change_own(context: Context, caller: Caller, wanted: OwnChange) -> Account:
    """Change the actor's own name or time zone, who sees their address, and whether sign-ins are reported by mail."""
    async with context.change(caller, for_change=True) as change:
        account = change.actor.account
        if wanted.full_name is not None and wanted.full_name.strip() != account.full_name:
            account = await _renamed(change, account, wanted.full_name)
        given = {name: getattr(wanted, name) for name in SETTINGS if getattr(wanted, name) is not None}
        changed = account._replace(**given)
        names = [name for name in given if getattr(changed, name) != getattr(account, name)]
        if names:
            await accounts.save(change.connection, changed)
            await change.record(AuditEvent.ACCOUNT_CHANGED, changed, details={"changed": names})
            change.tell(*(account_events.setting_changed(changed, name) for name in names))
            if "email_visibility" in names and EmailVisibility.EVERYONE in (
                account.email_visibility,
                changed.email_visibility,
            ):
                change.tell_changed(changed, "new_email")
            if "timezone" in names:
                change.tell_changed(changed, "email", "timezone")
        return changed


async def _renamed(change: Change, account: Account, full_name: str) -> Account:
    renamed = account._replace(full_name=checked_full_name(full_name))
    if account.is_bot:
        await check_name_free(change, account.realm_id, renamed.full_name, besides=account.id)
    await accounts.save(change.connection, renamed)
    await change.record(
        AuditEvent.ACCOUNT_RENAMED, renamed, details={"from": account.full_name, "to": renamed.full_name}
    )
    change.tell_changed(renamed, "full_name")
    return renamed


async def _with_role(change: Change, account: Account, role: Role) -> Account:
    if change.acting_account is not None:
        check_may_give_role(change.acting_account, account, role)
        change.check_password_if_role_rises(account, role)
    if await is_last_owner(change, account):
        raise Refused("The owner permission cannot be removed from the only organization owner.")
    changed = account._replace(granted_role=role)
    bots_before = await accounts.find_bots_of(change.connection, account.id)
    await accounts.save(change.connection, changed)
    details = {"from": account.granted_role.label, "to": role.label}
    await change.record(AuditEvent.ACCOUNT_ROLE_CHANGED, changed, details=details)
    for before, after in [(account, changed), *((bot, bot.owned_by(changed)) for bot in bots_before)]:
        if before.role is not after.role:
            change.tell_changed(after, "role")
    await key_endings.end_keys_of_former_managers(change, account.id)
    return changed


async def find_own(context: Context, caller: Caller) -> tuple[Account, int]:
    """The caller's account, and the newest message that was sent to it; -1 if there is none."""
    async with context.viewing(caller) as view:
        return view.actor.account, await newest_messages.find(view.connection, view.actor.id)
