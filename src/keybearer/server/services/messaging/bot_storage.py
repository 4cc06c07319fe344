"""What bots keep on the server: texts by keys, up to a limit for each account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused, check_cap
from keybearer.server.domain.limits import Cap
from keybearer.server.services.context import Context
from keybearer.server.storage.messaging import bot_storage


async def get(context: Context, caller: Caller, keys: Sequence[str] | None) -> dict[str, str]:
    """What is kept: under these keys, each of which must be there, or everything."""
    async with context.viewing(caller) as view:
        connection, actor = view.connection, view.actor
        found = await bot_storage.find(connection, actor.id, keys)
    if keys is not None and not found.keys() >= set(keys):
        raise Refused("Key does not exist.")
    return found


async def put(context: Context, caller: Caller, texts: Mapping[str, str]) -> None:
    """Keep texts under keys. All or none: raises Refused where they do not fit."""
    async with context.change(caller) as change:
        actor = change.actor
        before = await bot_storage.find(change.connection, actor.id, texts)
        grown = sum(len(key) + len(value) for key, value in texts.items())
        grown -= sum(len(key) + len(value) for key, value in before.items())
        keys, size = await bot_storage.size(change.connection, actor.id)
        check_cap(Cap.STORAGE, size + grown)
        check_cap(Cap.STORAGE_KEYS, keys + len(texts) - len(before))
        await bot_storage.put(change.connection, actor.id, texts)


async def remove(context: Context, caller: Caller, keys: Sequence[str] | None) -> None:
    """Forget what is under these keys, each of which must be there; or everything."""
    async with context.change(caller) as change:
        actor = change.actor
        found = await bot_storage.find(change.connection, actor.id, keys)
        if keys is not None and not found.keys() >= set(keys):
            raise Refused("Key does not exist.")
        await bot_storage.remove(change.connection, actor.id, keys)
