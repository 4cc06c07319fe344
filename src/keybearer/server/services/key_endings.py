"""What follows when keys end: records, polls, devices and mails. And which key a new key ends with."""

from __future__ import annotations

from collections.abc import Sequence

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.mails import Mail
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.permissions import may_manage_bot
from keybearer.server.services import mail_texts
from keybearer.server.services.change import Change
from keybearer.server.services.lookups import the_realm
from keybearer.server.storage import accounts, api_keys, devices, key_ends


async def key_above(change: Change) -> int | None:
    """The named key that a new account key ends with: the one that the actor used, or the one that the actor's account
    key ends with. An account key that replaces itself would otherwise outlive the named key that created it.

    If that named key was replaced, its successor takes its place. None if all of them have ended.
    """
    used = None if change.acting is None else change.acting.key
    key_id = None if used is None else (used.created_with if used.is_account_key else used.id)
    while key_id is not None:
        above = await api_keys.find(change.connection, key_id)
        if above is None or above.is_live:
            return None if above is None else above.id
        key_id = above.replaced_by
    return None


async def creator_of_line(change: Change, record: APIKeyRecord) -> int | None:
    """The key that created the first of the keys that replaced one another up to this one. Those that replaced
    themselves were created by their predecessors.
    """
    while record.created_with is not None:
        before = await api_keys.find(change.connection, record.created_with)
        if before is None or before.replaced_by != record.id:
            break
        record = before
    return record.created_with


async def record_ended(change: Change, revoked: Sequence[APIKeyRecord]) -> None:
    """Record that these keys of any accounts were revoked, and end the polls that used them. An account that lost its
    account key also loses its device registrations.
    """
    by_id = await accounts.find_by_ids(change.connection, {each.account_id for each in revoked})
    about = await paced(lambda each: (by_id[each.account_id], {"key": each.id, "name": each.name}), revoked)
    await change.record_all(AuditEvent.API_KEY_REVOKED, about)
    for account_id in by_id:
        change.end_polls_of(account_id)
    without_key = [each.account_id for each in revoked if each.is_account_key]
    if without_key:
        await devices.remove_all_of(change.connection, without_key)


async def tell_owners(change: Change, revoked: Sequence[APIKeyRecord], *, by_finder: bool = False) -> None:
    """Send a mail to each owner of account keys that were revoked because another key was, except to the actor.

    `by_finder` means that somebody who had that other key revoked it.
    """
    holders = await accounts.find_by_ids(
        change.connection, {each.account_id for each in revoked if each.is_account_key}
    )
    if not holders:
        return
    realm = await the_realm(change.connection)
    by_owner: dict[int, list[Account]] = {}
    for holder in holders.values():
        by_owner.setdefault(holder.person_id, []).append(holder)
    owners = await accounts.find_by_ids(change.connection, by_owner)
    by = "somebody who had it" if by_finder else mail_texts.name_of(change.acting_account)

    def told(owner: Account) -> Mail | None:
        if not owner.is_active or owner.is_bot or owner.id == change.actor_id:
            return None
        return mail_texts.keys_ended(realm, owner, by_owner[owner.id], by=by, at=change.now)

    await change.send(*await paced(told, owners.values()))


async def end_keys_of_former_managers(change: Change, account_id: int) -> None:
    """End the named keys of bots whose creators may no longer manage these bots.

    Call it after the account's role has changed or it was deactivated, in a transaction that was begun with
    `with_keys_made_by`. It is about the keys that this account created, and about those of its bots, or of itself if it
    is a bot. Keys that somebody created for their own bots stay: a bot is never more than its owner.
    """
    made = await key_ends.find_made_for_bots(change.connection, account_id)
    ids = {each for record in made for each in (record.account_id, record.created_by or 0)}
    by_id = await accounts.find_by_ids(change.connection, ids)

    def may_stay(record: APIKeyRecord) -> bool:
        bot, creator = by_id[record.account_id], by_id.get(record.created_by or 0)
        if creator is None or creator.id == bot.bot_owner_id:
            return True
        return creator.is_active and may_manage_bot(creator, bot)

    ending = [record.id for record in made if not may_stay(record)]
    if ending:
        ended = await key_ends.revoke_several(change.connection, ending, by=change.actor_id, at=change.now)
        await record_ended(change, ended)
        await tell_owners(change, ended)
