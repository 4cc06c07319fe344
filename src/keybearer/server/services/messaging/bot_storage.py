"""What bots store on the server: texts by key, up to a limit for each account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused, check_cap
from keybearer.server.domain.limits import Cap
from keybearer.server.services.context import Context
from keybearer.server.storage.messaging import bot_storage


async def get(context: Context, caller: Caller, keys: Sequence[str] | None) -> dict[str, str]:
    """What is stored under these keys, each of which must exist, or everything."""
    async with context.viewing(caller) as view:
        connection, actor = view.connection, view.actor
        found = await bot_storage.find(connection, actor.id, keys)
    if keys is not None and not found.keys() >= set(keys):
        raise Refused("Key does not exist.")
    return found


async def put(context: Context, caller: Caller, texts: Mapping[str, str]) -> None:
    """Store texts under keys: all or none. Raises Refused if they do not fit."""
    async with context.change(caller) as change:
        actor = change.actor
        before = await bot_storage.stored_by_account(change.connection, actor.id, texts)
        grown = sum(len(key) + len(value) for key, value in texts.items()) - before.characters
        added = len(texts) - before.keys
        own = await bot_storage.stored_by_account(change.connection, actor.id)
        check_cap(Cap.STORAGE, own.characters + grown)
        check_cap(Cap.STORAGE_KEYS, own.keys + added)
        together = await bot_storage.stored_by_person(change.connection, actor.account.person_id)
        check_cap(Cap.STORAGE_OF_PERSON, together.characters + grown)
        check_cap(Cap.STORAGE_KEYS_OF_PERSON, together.keys + added)
        await bot_storage.put(change.connection, actor.id, texts)


async def remove(context: Context, caller: Caller, keys: Sequence[str] | None) -> None:
    """Delete what is stored under these keys, each of which must exist, or everything."""
    async with context.change(caller) as change:
        actor = change.actor
        if keys is not None and (await bot_storage.stored_by_account(change.connection, actor.id, keys)).keys < len(
            set(keys)
        ):
            raise Refused("Key does not exist.")
        await bot_storage.remove(change.connection, actor.id, keys)
