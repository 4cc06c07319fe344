"""Named keys: further keys of an account or a bot, each with its own name, scopes, end and networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer import api_key as api_key_format
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.api_keys import APIKeyRecord, checked_key_name
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import NotPermitted, Refused, check_cap
from keybearer.server.domain.grants import Grant, scope_names
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.named_keys import End, KeyChange, NewKey, check_is_narrower, end_of
from keybearer.server.services import key_endings, mail_texts
from keybearer.server.services.api_keys import IssuedKey
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context, View
from keybearer.server.services.lookups import owner_of, the_account, the_bot, the_realm
from keybearer.server.storage import api_keys, key_ends


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key and its holder."""

    record: APIKeyRecord
    account: Account


async def holder_of_keys(connection: AsyncConnection, actor: Actor, bot_id: int | None) -> Account:
    """The holder of the keys: the actor, or a bot that the actor may manage."""
    return actor.account if bot_id is None else await the_bot(connection, actor.account, bot_id)


async def find_current(context: Context, caller: Caller) -> APIKeyRecord:
    """The key that the caller uses, named or not."""
    async with context.viewing(caller) as view:
        return _key_in_use(view.actor)


def _key_in_use(actor: Actor) -> APIKeyRecord:
    if actor.key is None:
        raise Refused("This call has no API key.")
    return actor.key


async def create(context: Context, caller: Caller, new: NewKey, bot_id: int | None = None) -> IssuedKey:
    """Issue a named key to the actor, or to a bot that they manage. The key's text is only in the return value.

    Raises BeyondGrant if the actor used a key that may do less, Refused if the organization's policy or the cap forbids
    it.
    """
    holding = [] if bot_id is None else [bot_id]
    async with context.change(caller, holding=holding, for_change=True) as change:
        holder = await holder_of_keys(change.connection, change.actor, bot_id)
        if not holder.is_active:
            raise Refused("A deactivated account cannot get API keys.")
        grant = await _new_grant(change, new)
        change.actor.check_covers(grant)
        with_key = change.actor.key
        return await issue(change, holder, new.name, grant, created_with=None if with_key is None else with_key.id)


async def _new_grant(change: Change, new: NewKey) -> Grant:
    """The grant of a new key. Missing parts default to the organization's policy, and never exceed the actor's own
    grant.
    """
    own = change.actor.grant
    policy = (await the_realm(change.connection)).key_policy
    networks = own.networks if new.networks is None else new.networks
    if new.end is End.DEFAULT:
        default = policy.default_end(change.now)
        ends = [end for end in (default, own.expires_at) if end is not None]
        return Grant(new.scopes, min(ends, default=None), networks)
    expires_at = end_of(new.end, change.now)
    policy.check_end(expires_at, change.now)
    return Grant(new.scopes, expires_at, networks)


async def issue(
    change: Change, holder: Account, name: str, grant: Grant, *, created_with: int | None, because: str = ""
) -> IssuedKey:
    """Issue a named key within a transaction that holds the account. The grant must already be checked.

    `because` says why it is issued, if nobody asked for it directly. Raises CapReached.
    """
    check_cap(Cap.API_KEYS, await api_keys.count_named(change.connection, holder.id, change.now) + 1)
    issued = await _add(change, holder, checked_key_name(name), grant, created_with=created_with)
    details = {"key": issued.record.id, "name": issued.record.name, "scopes": scope_names(grant.scopes)}
    if because:
        details["because"] = because
    await change.record(AuditEvent.API_KEY_ISSUED, holder, details=details)
    owner = await owner_of(change.connection, holder)
    if owner is not None and owner.id not in (change.actor_id, holder.id) and change.actor_id != holder.id:
        actor = change.acting_account
        await change.send(mail_texts.key_issued(issued.realm, owner, holder, issued.record, actor=actor))
    return issued


async def _add(change: Change, holder: Account, name: str, grant: Grant, *, created_with: int | None) -> IssuedKey:
    key = api_key_format.generate()
    record = await api_keys.add_named(
        change.connection,
        change.ring,
        key,
        account_id=holder.id,
        name=name,
        grant=grant,
        created_by=change.actor_id,
        created_with=created_with,
        at=change.now,
    )
    return IssuedKey(holder, await the_realm(change.connection), record, key)


async def change_key(
    context: Context, caller: Caller, key_id: int, wanted: KeyChange, bot_id: int | None = None
) -> APIKeyRecord:
    """Rename a named key, or narrow it. Raises Refused if it would allow more than before."""
    holding = [] if bot_id is None else [bot_id]
    async with context.change(caller, holding=holding, for_change=True) as change:
        holder = await holder_of_keys(change.connection, change.actor, bot_id)
        before = await the_named_key(change, holder, key_id)
        change.actor.check_covers(before.grant)
        after = wanted.applied_to(before, change.now)
        if after.grant.has_ended(change.now):
            raise Refused("An API key must end in the future: revoke it to end it now.")
        check_is_narrower(before.grant, after.grant)
        changed = [field for field in ("name", "scopes", "expires_at", "networks") if _differ(before, after, field)]
        if changed:
            await api_keys.save(change.connection, after)
            details = {"key": key_id, "name": after.name, "changed": changed}
            if "name" in changed:
                details["from"] = before.name
            await change.record(AuditEvent.API_KEY_CHANGED, holder, details=details)
            change.end_polls_of(holder.id)
        return after


def _differ(before: APIKeyRecord, after: APIKeyRecord, field: str) -> bool:
    return bool(getattr(before, field) != getattr(after, field))


async def the_named_key(at: View | Change, holder: Account, key_id: int, *, also_expired: bool = False) -> APIKeyRecord:
    """A live named key of this account. Raises Refused if there is none, and for the account key."""
    record = await api_keys.find(at.connection, key_id)
    if record is None or record.account_id != holder.id or not record.is_live:
        raise Refused("No such API key")
    if record.grant.has_ended(at.now) and not also_expired:
        raise Refused("No such API key")
    if record.is_account_key:
        raise Refused("This is the account key: generate a new one instead.")
    return record


async def revoke(context: Context, caller: Caller, key_id: int, bot_id: int | None = None) -> None:
    """Revoke a named key, the key that it replaced if that is still in overlap, and every key created with it. A key
    that has expired can be revoked too, because keys that were created with it may still be live.
    """
    async with context.change(
        caller,
        holding=[] if bot_id is None else [bot_id],
        for_change=True,
        ending_keys_of=caller.id if bot_id is None else bot_id,
    ) as change:
        holder = await holder_of_keys(change.connection, change.actor, bot_id)
        await _revoke(change, holder, await the_named_key(change, holder, key_id, also_expired=True))


async def revoke_of_organization(context: Context, caller: Caller | None, key_id: int) -> HeldKey:
    """Revoke a named key of anybody in the organization, for administrators and the operator (None).

    The owner gets a mail about it. Returns the key as it was. Raises Refused for an account key, which is regenerated
    instead.
    """
    async with context.reading() as connection:
        found = await api_keys.find(connection, key_id)
    if found is None:
        raise Refused("No such API key")
    async with context.change(
        caller, holding=[found.account_id], for_change=True, ending_keys_of=found.account_id
    ) as change:
        actor = change.acting_account
        if actor is not None and not actor.is_administrator:
            raise NotPermitted
        holder = await the_account(change.connection, actor, found.account_id)
        record = await the_named_key(change, holder, key_id, also_expired=True)
        await _revoke(change, holder, record)
        return HeldKey(record, holder)


async def _revoke(change: Change, holder: Account, record: APIKeyRecord) -> None:
    revoked = await key_ends.revoke(change.connection, record.id, by=change.actor_id, at=change.now)
    await key_endings.record_ended(change, revoked)
    owner = await owner_of(change.connection, holder)
    if owner is not None and owner.id != change.actor_id:
        realm = await the_realm(change.connection)
        await change.send(
            mail_texts.key_revoked(realm, owner, holder, record, actor=change.acting_account, at=change.now)
        )
    await key_endings.tell_owners(change, revoked)


async def regenerate(
    context: Context, caller: Caller, key_id: int, *, overlap: timedelta, bot_id: int | None = None
) -> IssuedKey:
    """Replace a named key with one that has the same name, scopes and networks. Both are live until the overlap ends.

    Regenerating again ends the earlier key. Raises Refused for a key that was already replaced.
    """
    holding = [] if bot_id is None else [bot_id]
    async with context.change(caller, holding=holding, for_change=True) as change:
        holder = await holder_of_keys(change.connection, change.actor, bot_id)
        record = await the_named_key(change, holder, key_id)
        change.actor.check_covers(record.grant)
        return await _replace(change, holder, record, overlap)


async def regenerate_current(context: Context, caller: Caller, *, overlap: timedelta) -> IssuedKey:
    """Replace the named key that the caller uses, regardless of its scopes. If the old key is revoked while both are
    live, the new one ends too. Raises Refused for the account key.
    """
    async with context.change(caller, for_change=True) as change:
        record = _key_in_use(change.actor)
        if record.is_account_key:
            raise Refused("This is the account key: generate a new one with users/me/api_key/regenerate.")
        return await _replace(change, change.actor.account, record, overlap)


def check_not_replaced(record: APIKeyRecord) -> None:
    """Raise Refused for a key that was replaced and is still in overlap."""
    if record.replaced_by is not None:
        raise Refused("This API key was already replaced: use the key that replaced it.")


async def _replace(change: Change, holder: Account, record: APIKeyRecord, overlap: timedelta) -> IssuedKey:
    check_not_replaced(record)
    policy = (await the_realm(change.connection)).key_policy
    grant = record.grant._replace(expires_at=policy.end_of_successor(record.expires_at, change.now))
    await key_ends.end_replaced(change.connection, record.id, by=change.actor_id, at=change.now)
    # A key that replaces itself creates its successor. Otherwise a thief would keep the successor of a revoked key.
    replaces_itself = change.actor.key is not None and change.actor.key.id == record.id
    created_with = record.id if replaces_itself else await key_endings.creator_of_line(change, record)
    issued = await _add(change, holder, record.name, grant, created_with=created_with)
    new = issued.record
    ends_at = change.now + overlap
    if record.expires_at is not None:
        ends_at = min(ends_at, record.expires_at)
    await api_keys.save(change.connection, replace(record, replaced_by=new.id, expires_at=ends_at))
    if not overlap:
        await key_ends.end_replaced(change.connection, new.id, by=change.actor_id, at=change.now)
    details = {"key": record.id, "name": record.name, "new_key": new.id, "overlap": int(overlap.total_seconds())}
    await change.record(AuditEvent.API_KEY_REPLACED, holder, details=details)
    change.end_polls_of(holder.id)
    return issued
