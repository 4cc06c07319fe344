"""What the holder of a key may do: revoke it if it has leaked, and get it as a zuliprc."""

from __future__ import annotations

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.api_keys import APIKeyRecord, KeyUse
from keybearer.server.domain.attempts import AttemptKind
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.limits import Quota
from keybearer.server.domain.rules import check_standing
from keybearer.server.services import attempts, key_endings, mail_texts
from keybearer.server.services.api_keys import IssuedKey
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.key_uses import write_late_use
from keybearer.server.services.lookups import owner_of, the_account, the_realm
from keybearer.server.storage import api_keys, devices, key_ends, key_uses
from keybearer.server.storage.audit import printable


async def revoke(context: Context, key: Secret, origin: RequestOrigin) -> Quota:
    """Revoke the key, named or not, with all keys created with it. Returns only what is left of the limit.

    No answer shows whether the key exists or was live. An account whose account key is revoked has none afterwards.
    Raises TooManyAttempts.
    """
    async with context.change(None, origin=origin) as change:
        quota = await attempts.count(change, AttemptKind.KEY_REVOCATIONS, "", context.metrics)
    async with context.reading(origin) as connection:
        found = await api_keys.find_by_text(connection, context.ring, key)
    if found is not None:
        async with context.change(
            None, origin=origin, holding=[found.account_id], for_change=True, ending_keys_of=found.account_id
        ) as change:
            record = await api_keys.find(change.connection, found.id)
            if record is not None and record.is_live:  # an expired key may have created others
                await _revoke(change, await the_account(change.connection, None, record.account_id), record)
    return quota


async def find(context: Context, key: Secret, origin: RequestOrigin) -> IssuedKey:
    """The live named key with this text, and what its zuliprc needs. Raises Refused if no live named key has it, and
    Unauthenticated if its holder may currently do nothing.

    This is a use of the key, and of an ended key a late one: nobody can find out unnoticed whether a key is live. Its
    networks do not count, because the file may be for a program elsewhere.
    """
    async with context.reading(origin) as connection:
        record = await api_keys.find_by_text(connection, context.ring, key)
        holder = None if record is None else await the_account(connection, None, record.account_id)
        realm = await the_realm(connection)
    has_ended = record is not None and (not record.is_live or record.grant.has_ended(context.clock()))
    if record is not None and holder is not None and has_ended:
        await write_late_use(context, record.id, holder, origin)
    if record is None or holder is None or has_ended or record.is_account_key:
        raise Refused("Invalid API key")
    check_standing(holder, by_session=False)
    async with context.change(None, origin=origin) as change:
        use = KeyUse(change.now, origin.address, printable(origin.client))
        await key_uses.record_uses(change.connection, [key_uses.NewUse(record.id, use)])
    return IssuedKey(holder, realm, record, key)


async def _revoke(change: Change, holder: Account, record: APIKeyRecord) -> None:
    revoked = await key_ends.revoke(change.connection, record.id, by=None, at=change.now)
    others = [each for each in revoked if each.id != record.id]
    await key_endings.record_ended(change, others)
    details: dict[str, object] = {"key": record.id, "name": record.name}
    if record.is_account_key:
        details["devices"] = await devices.remove_all(change.connection, holder.id)
    await change.record(AuditEvent.API_KEY_REVOKED_BY_POSSESSION, holder, details=details)
    change.end_polls_of(holder.id)
    owner = await owner_of(change.connection, holder)
    if owner is not None:
        realm = await the_realm(change.connection)
        await change.send(mail_texts.key_found(realm, owner, holder, record, at=change.now, origin=change.origin))
    await key_endings.tell_owners(change, others, by_finder=True)
