"""Finding what a use case is about, or refusing in Zulip's words."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account, check_is_no_display_email
from keybearer.server.domain.errors import NotPermitted, Refused, Unauthenticated
from keybearer.server.domain.permissions import may_manage_bot
from keybearer.server.domain.realms import Realm
from keybearer.server.services.context import Change
from keybearer.server.storage import accounts, realms, visibility
from keybearer.server.storage.dialect import take_turn

NAMES_AND_ADDRESSES = "names and addresses"
"""The turn to take before asking whether a name or an address is free, in a transaction that then uses it."""

OWNERS = "owners"
"""The turn to take before asking who else is an owner, in a transaction that then takes one away."""

CHANNELS = "channels"
"""The turn to take before asking how a channel is or which names are free, in a transaction that then changes one or
makes one."""

OWNERSHIP = "bots and their owners"
"""The turn of `hold_ownership`."""


async def hold_ownership(change: Change) -> None:
    """Let no person be deactivated, and no bot come to life or change hands, until the transaction ends.

    For rules about a bot and its owner together; to be called before any row is held. Raises Unauthenticated where the
    actor has been deactivated since the request was let in: what it made then would be left out of the deactivation.
    """
    await take_turn(change.connection, OWNERSHIP)
    if change.acting is not None:
        actor = await accounts.find(change.connection, change.actor.id)
        if actor is None or not actor.is_active:
            raise Unauthenticated("Account is deactivated")


async def the_realm(connection: AsyncConnection, *, for_change: bool = False) -> Realm:
    """The organization of this server; `for_change` holds its row until the transaction ends. Raises Refused before
    set-up."""
    realm = await realms.find(connection, for_change=for_change)
    if realm is None:
        raise Refused("This server has no organization yet.")
    return realm


async def find_addressed(connection: AsyncConnection, viewer: Account, emails: Collection[str]) -> dict[str, Account]:
    """The accounts that these addresses mean to the viewer, by `email_key`: by a delivery email that the viewer may
    see, or by the dummy that stands for it. What means nobody to them, or two accounts, is absent."""
    realm = await the_realm(connection)
    return await visibility.find_addressed(connection, viewer, emails, dummy_domain=realm.bot_domain)


async def account_for_change(change: Change, account_id: int) -> Account:
    """The account, its row held until the transaction ends. Raises Refused where the actor's realm has no such."""
    account = await accounts.find(change.connection, account_id, for_change=True)
    if account is None or (change.acting is not None and change.actor.account.realm_id != account.realm_id):
        raise Refused("No such user")
    return account


async def managed_bot(change: Change, bot_id: int) -> Account:
    """A bot that the actor may manage, its row held until the transaction ends.

    Raises Refused where there is no such bot (an id of a person counts as none), NotPermitted where it is not theirs.
    The server's operator, who has no actor, may manage all.
    """
    bot = await accounts.find(change.connection, bot_id, for_change=True)
    actor = change.acting.account if change.acting else None
    if bot is None or not bot.is_bot or (actor is not None and bot.realm_id != actor.realm_id):
        raise Refused("No such bot")
    if actor is not None and not may_manage_bot(actor, bot):
        raise NotPermitted
    return bot


async def check_name_free(change: Change, realm_id: int, full_name: str, *, besides: int = 0) -> None:
    """Raise Refused where another active account has this name. Until the transaction ends, none can take it."""
    await take_turn(change.connection, NAMES_AND_ADDRESSES)
    if await accounts.is_name_taken(change.connection, realm_id, full_name, besides=besides):
        raise Refused("Name is already in use.")


async def check_email_free(change: Change, realm_id: int, email: str, *, besides: int = 0) -> None:
    """Raise Refused where another account, a deactivated one too, has this address. Until the transaction ends, none
    can take it."""
    check_is_no_display_email(email, (await the_realm(change.connection)).bot_domain)
    await take_turn(change.connection, NAMES_AND_ADDRESSES)
    taken = await accounts.find_by_email(change.connection, realm_id, email)
    if taken is not None and taken.id != besides:
        raise Refused("Email is already in use.")
