"""Lists of bots, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.account_lists import AccountList, AccountQuery, Found
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.services.bots import BotDetails
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_account, the_realm
from keybearer.server.storage import account_pages, accounts, api_keys, bots


async def find_page(
    context: Context, caller: Caller, query: AccountQuery, *, of_everybody: bool = False
) -> Found[BotDetails]:
    """A page of the bots that the actor owns, or of all that they may manage. The keys are not opened."""
    wanted = AccountList.MANAGED_BOTS if of_everybody else AccountList.OWN_BOTS
    async with context.viewing(caller) as view:
        connection, realm = view.connection, await the_realm(view.connection)
        found = await account_pages.find_accounts(
            connection, view.actor.account, wanted, query, dummy_domain=realm.bot_domain
        )
        details = await _details(connection, found.page.entries)
    return Found(found.page.with_entries(details), found.has_any, found.is_empty)


async def _details(connection: AsyncConnection, found: Sequence[Account]) -> Sequence[BotDetails]:
    ids = [bot.id for bot in found]
    owners = await accounts.find_by_ids(connection, {bot.bot_owner_id for bot in found if bot.bot_owner_id})
    services = await bots.find_services(connection, ids)
    live = await api_keys.find_account_keys(connection, ids)
    return [BotDetails(bot, owners.get(bot.bot_owner_id or 0), services.get(bot.id), live.get(bot.id)) for bot in found]


@dataclass(frozen=True, slots=True)
class ActiveBots:
    """How many active bots an account owns, and the first of them."""

    count: int
    first: Sequence[Account]


async def find_active_of(context: Context, caller: Caller, owner_id: int, *, first: int) -> ActiveBots:
    """The active bots that an account of the actor's realm owns. Raises Refused with `No such user`."""
    async with context.viewing(caller) as view:
        owner = await the_account(view.connection, view.actor.account, owner_id)
        return ActiveBots(
            await accounts.count_bots_of(view.connection, owner.id, only_active=True),
            await accounts.find_bots_of(view.connection, owner.id, only_active=True, limit=first),
        )
