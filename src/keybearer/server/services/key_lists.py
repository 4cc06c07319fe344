"""Lists of keys: the live keys of an account or of the organization, and what ends together with a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.domain.errors import NotPermitted, Refused
from keybearer.server.domain.key_lists import KeyQuery
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.paging import Page
from keybearer.server.services.accounts import find_for_operator
from keybearer.server.services.context import Context, View
from keybearer.server.services.lookups import the_account, the_realm
from keybearer.server.services.named_keys import HeldKey, holder_of_keys, the_named_key
from keybearer.server.storage import accounts, api_keys, key_ends, key_pages


async def find_all(context: Context, caller: Caller, bot_id: int | None = None) -> Sequence[APIKeyRecord]:
    """The live keys of the actor, or of a bot that they manage: the account key and the named keys, without opening
    them.
    """
    async with context.viewing(caller) as view:
        holder = await holder_of_keys(view.connection, view.actor, bot_id)
        return await api_keys.find_live(view.connection, holder.id, view.now)


async def find_all_of_organization(
    context: Context, caller: Caller, *, after: int = 0, limit: int = Cap.ENTRIES.most
) -> Sequence[HeldKey]:
    """The live keys of the whole organization with ids above `after`, for administrators, without opening them."""
    async with context.viewing(caller) as view:
        if not view.actor.account.is_administrator:
            raise NotPermitted
        realm_id = view.actor.account.realm_id
        found = await api_keys.find_all_live(view.connection, realm_id, view.now, after=after, limit=limit)
        return await _with_holders(view.connection, found)


async def find_page_of_organization(context: Context, caller: Caller, query: KeyQuery) -> Page[HeldKey]:
    """A page of the live keys of the whole organization that match a query, in the order of issue. Raises like
    `find_all_of_organization`.
    """
    async with context.viewing(caller) as view:
        viewer = view.actor.account
        if not viewer.is_administrator:
            raise NotPermitted
        realm = await the_realm(view.connection)
        page = await key_pages.find_live_keys(view.connection, viewer, query, view.now, dummy_domain=realm.bot_domain)
        return page.with_entries(await _with_holders(view.connection, page.entries))


async def _with_holders(connection: AsyncConnection, records: Sequence[APIKeyRecord]) -> list[HeldKey]:
    holders = await accounts.find_by_ids(connection, {record.account_id for record in records})
    return [HeldKey(record, holders[record.account_id]) for record in records]


async def find_all_for_operator(context: Context, email: str) -> Sequence[APIKeyRecord]:
    """The live keys of the account with this delivery email, without opening them. Raises Refused if there is no such
    account.
    """
    account = await find_for_operator(context, email)
    async with context.reading() as connection:
        return await api_keys.find_live(connection, account.id, context.clock())


@dataclass(frozen=True, slots=True)
class EndingKeys:
    """How many keys end with another one, and the first of them in the order of issue, with their holders."""

    count: int
    first: Sequence[HeldKey]

    @property
    def unlisted(self) -> int:
        """How many there are besides the first."""
        return self.count - len(self.first)


async def _with_all_holders(connection: AsyncConnection, ending: key_ends.EndingKeys) -> EndingKeys:
    return EndingKeys(ending.count, await _with_holders(connection, ending.first))


async def find_ending(
    context: Context, caller: Caller, bot_id: int | None = None, *, limit: int | None = None
) -> EndingKeys:
    """What ends when a new account key is generated, besides the old one: the named keys of the actor, or of a bot that
    they manage, and all keys that were created with any of them, including those of other accounts.
    """
    async with context.viewing(caller) as view:
        holder = await holder_of_keys(view.connection, view.actor, bot_id)
        found = await key_ends.find_ending(view.connection, holder.id, view.now, limit=limit)
        return await _with_all_holders(view.connection, found)


async def find_ending_with(
    context: Context, caller: Caller, key_id: int, bot_id: int | None = None, *, limit: int | None = None
) -> EndingKeys:
    """What ends when a named key of the actor, or of a bot that they manage, is revoked, besides this key."""
    async with context.viewing(caller) as view:
        holder = await holder_of_keys(view.connection, view.actor, bot_id)
        return await _ending_with(view, holder, key_id, limit)


async def find_ending_with_any(
    context: Context, caller: Caller, key_id: int, *, limit: int | None = None
) -> EndingKeys:
    """The same for a named key of anybody in the organization, for administrators."""
    async with context.viewing(caller) as view:
        if not view.actor.account.is_administrator:
            raise NotPermitted
        record = await api_keys.find(view.connection, key_id)
        if record is None:
            raise Refused("No such API key")
        holder = await the_account(view.connection, view.actor.account, record.account_id)
        return await _ending_with(view, holder, key_id, limit)


async def _ending_with(view: View, holder: Account, key_id: int, limit: int | None) -> EndingKeys:
    await the_named_key(view, holder, key_id)
    found = await key_ends.find_ending_with(view.connection, key_id, view.now, limit=limit)
    return await _with_all_holders(view.connection, found)
