"""Deactivates and reactivates people and bots."""

from __future__ import annotations

from collections.abc import Sequence

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import NotPermitted, Refused
from keybearer.server.domain.links import FOR_OTHERS, LinkPurpose
from keybearer.server.domain.permissions import check_may_deactivate, may_reactivate
from keybearer.server.services import api_keys, key_endings, mail_texts
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import check_may_own_more, check_name_free, is_last_owner, the_account, the_realm
from keybearer.server.storage import accounts, event_log, links, sessions

_NAME_TAKEN = (
    'There is already an active bot named "%s" in this organization. To reactivate this bot, you must rename or '
    "deactivate the other one first."
)


async def deactivate_person(
    context: Context, caller: Caller | None, account_id: int, *, comment: str | None = None
) -> None:
    """Deactivate somebody else, with all their bots, and end their sessions. For administrators or the operator.

    The key is not revoked, so that the answer to it is `Account is deactivated`. A bot does not count as a person here
    (`No such user`). Raises Refused for an account that is already deactivated, as in Zulip. Administrators who
    deactivate themselves need a recent password, as in `deactivate_own`.
    """
    async with context.change(
        caller, holding=[account_id], for_change=True, with_bots_of=account_id, with_keys_made_by=account_id
    ) as change:
        actor = change.acting_account
        account = await the_account(change.connection, actor, account_id)
        if account.is_bot:
            raise Refused("No such user")
        if actor is not None:
            check_may_deactivate(actor, account)
            if actor.id == account.id:
                change.actor.check_password_is_fresh(change.now)
        if not account.is_active:
            raise Refused("User is deactivated")
        if await is_last_owner(change, account):
            raise Refused("Cannot deactivate the only organization owner")
        await _deactivate(change, account)
        realm = await the_realm(change.connection)
        await change.send(None if comment is None else mail_texts.account_deactivated(realm, account, comment))


async def deactivate_own(context: Context, caller: Caller) -> None:
    """Deactivate the actor. The last owner, or the last person, is refused.

    Raises PasswordNeeded for a session whose password was given too long ago.
    """
    async with context.change(caller, for_change=True, with_bots_of=caller.id, with_keys_made_by=caller.id) as change:
        change.actor.check_password_is_fresh(change.now)
        account = change.actor.account
        is_last = await is_last_owner(change, account)
        if is_last or await accounts.count_active_people(change.connection, account.realm_id) <= 1:
            entity = "organization owner" if is_last else "user"
            raise Refused(
                f"Cannot deactivate the only {entity}.",
                code="CANNOT_DEACTIVATE_LAST_USER",
                extra={"is_last_owner": is_last, "entity": entity},
            )
        await _deactivate(change, account)


async def _deactivate(change: Change, account: Account) -> None:
    active_bots = [bot for bot in await accounts.find_bots_of(change.connection, account.id) if bot.is_active]
    await sessions.remove_all(change.connection, account.id)
    for purpose in FOR_OTHERS:
        await links.remove_all(change.connection, purpose, created_by=account.id)
    for purpose in (LinkPurpose.PASSWORD_RESET, LinkPurpose.EMAIL_CHANGE, LinkPurpose.EMAIL_UNDO):
        await links.remove_all(change.connection, purpose, account_id=account.id)
    await deactivate_accounts(change, [*active_bots, account])


async def deactivate_accounts(change: Change, active: Sequence[Account]) -> None:
    """Mark the accounts of people or bots as deactivated, and end their polls. Their keys stay, but are refused; those
    that they created for others' bots end.

    The transaction must have been begun with `with_keys_made_by` for the last of them.
    """
    deactivated = [account._replace(is_active=False) for account in active]
    await accounts.deactivate(change.connection, [account.id for account in deactivated])
    await change.record_all(AuditEvent.ACCOUNT_DEACTIVATED, [(account, {}) for account in deactivated])
    for account in deactivated:
        change.end_polls_of(account.id)
        change.tell_changed(account, "is_active")
    await key_endings.end_keys_of_former_managers(change, deactivated[-1].id)


async def reactivate(context: Context, caller: Caller | None, account_id: int) -> Account:
    """Reactivate a person (administrators) or a bot (its owner too), with a new key. The old key stays revoked.

    A bot without an active owner becomes the actor's, even if it is active. The operator (None), who cannot own bots,
    is refused in that case.
    """
    async with context.change(caller, holding=[account_id], for_change=True, ending_keys_of=account_id) as change:
        actor = change.acting_account
        account = await the_account(change.connection, actor, account_id)
        if actor is not None and not may_reactivate(actor, account, await the_realm(change.connection)):
            raise NotPermitted
        if account.is_active and not account.lacks_active_owner:
            return account
        reactivated = account._replace(is_active=True)
        if account.is_bot:
            await check_name_free(
                change, account.realm_id, account.full_name, besides=account.id, message=_NAME_TAKEN % account.full_name
            )
        if account.lacks_active_owner:
            if actor is None:
                raise Refused("Its owner is deactivated: reactivate the owner first")
            await check_may_own_more(change, actor.id)
            reactivated = reactivated.owned_by(actor)
            await event_log.remove_queues_of(change.connection, account.id)
            await change.record(AuditEvent.BOT_OWNER_CHANGED, reactivated, details={"owner": actor.id})
            change.tell_changed(reactivated, "bot_owner_id")
        await accounts.save(change.connection, reactivated)
        await change.record(AuditEvent.ACCOUNT_REACTIVATED, reactivated)
        change.tell_changed(reactivated, "is_active")
        if reactivated.role is not account.role:
            change.tell_changed(reactivated, "role")
        await api_keys.replace(change, reactivated, because="reactivated")
        return reactivated
