"""Finds what a use case is about, and checks whether a name or an address is free for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account, Role, check_is_no_display_email
from keybearer.server.domain.errors import NotPermitted, NotSetUp, Refused, check_cap
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.permissions import may_manage_bot
from keybearer.server.domain.realms import Realm
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.storage import accounts, realms, visibility
from keybearer.server.storage.dialect import take_turn

NAMES_AND_ADDRESSES = "names and addresses"
"""The turn to take before checking whether a name or an address is free, in a transaction that then uses it."""

OWNERS = "owners"
"""The turn to take before checking who else is an owner, in a transaction that then removes one."""

CHANNELS = "channels"
"""The turn to take before reading a channel or checking which names are free, in a transaction that then changes or
creates one.
"""


async def the_realm(connection: AsyncConnection, *, for_change: bool = False) -> Realm:
    """The organization of this server. `for_change` locks its row until the transaction ends. Raises Refused before
    set-up.
    """
    realm = await realms.find(connection, for_change=for_change)
    if realm is None:
        raise NotSetUp
    return realm


async def find_addressed(connection: AsyncConnection, viewer: Account, emails: Collection[str]) -> dict[str, Account]:
    """The accounts that these addresses stand for, as the viewer sees them, by `email_key`: by a delivery email that
    the viewer may see, or by the dummy that stands for it. An address that stands for no account, or for two, is
    absent.
    """
    realm = await the_realm(connection)
    return await visibility.find_addressed(connection, viewer, emails, dummy_domain=realm.bot_domain)


async def the_account(connection: AsyncConnection, actor: Account | None, account_id: int) -> Account:
    """The account. Raises Refused if the actor's realm has no such account. The operator (None) may use every realm."""
    account = await accounts.find(connection, account_id)
    if account is None or (actor is not None and actor.realm_id != account.realm_id):
        raise Refused("No such user")
    return account


async def the_bot(connection: AsyncConnection, actor: Account | None, bot_id: int) -> Account:
    """A bot that the actor may manage; the operator (None) may manage all.

    Raises Refused if there is no such bot (the id of a person counts as none), NotPermitted if it is not theirs.
    """
    bot = await accounts.find(connection, bot_id)
    if bot is None or not bot.is_bot or (actor is not None and bot.realm_id != actor.realm_id):
        raise Refused("No such bot")
    if actor is not None and not may_manage_bot(actor, bot):
        raise NotPermitted
    return bot


async def owner_of(connection: AsyncConnection, holder: Account) -> Account | None:
    """Who gets the mails about an account's keys: the person, or a bot's owner. None if there is nobody."""
    owner = holder if holder.bot_owner_id is None else await accounts.find(connection, holder.bot_owner_id)
    return None if owner is None or owner.is_bot else owner


async def find_everybody(context: Context) -> Sequence[int]:
    """The ids of all accounts, for a transaction that locks them all."""
    async with context.reading() as connection:
        return await accounts.find_ids(connection)


async def check_name_free(
    change: Change, realm_id: int, full_name: str, *, besides: int = 0, message: str = "Name is already in use."
) -> None:
    """Raise Refused if another active account has this name. Until the transaction ends, nobody can take it."""
    await take_turn(change.connection, NAMES_AND_ADDRESSES)
    if await accounts.is_name_taken(change.connection, realm_id, full_name, besides=besides):
        raise Refused(message)


async def check_may_own_more(change: Change, owner_id: int) -> None:
    """Raise CapReached if an account owns as many bots as it may. Until the transaction ends, it cannot get another."""
    await take_turn(change.connection, NAMES_AND_ADDRESSES)
    check_cap(Cap.BOTS, await accounts.count_bots_of(change.connection, owner_id) + 1)


async def check_email_free(change: Change, realm_id: int, email: str, *, besides: int = 0) -> None:
    """Raise Refused if another account, even a deactivated one, has this address. Until the transaction ends, nobody
    can take it.
    """
    check_is_no_display_email(email, (await the_realm(change.connection)).bot_domain)
    await take_turn(change.connection, NAMES_AND_ADDRESSES)
    taken = await accounts.find_by_email(change.connection, realm_id, email)
    if taken is not None and taken.id != besides:
        raise Refused("Email is already in use.")


async def is_last_owner(change: Change, account: Account) -> bool:
    """Whether this is the only active owner. Until the transaction ends, no other one decides this."""
    if not account.is_active_owner:
        return False
    await take_turn(change.connection, OWNERS)
    return await accounts.count_active_people(change.connection, account.realm_id, least_role=Role.OWNER) <= 1
