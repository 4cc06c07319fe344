"""Accounts as another account sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keybearer.server.domain.accounts import Account, email_key
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import find_addressed, the_account
from keybearer.server.storage import accounts


@dataclass(frozen=True, slots=True)
class Viewed:
    """Accounts, and the account that looks at them, as they are at one moment."""

    viewer: Account
    accounts: Sequence[Account]


async def find_all(context: Context, caller: Caller) -> Viewed:
    """All accounts of the caller's realm, including bots and deactivated ones."""
    async with context.viewing(caller) as view:
        viewer = view.actor.account
        return Viewed(viewer, await accounts.find_all(view.connection, viewer.realm_id))


async def find(context: Context, caller: Caller, account_id: int) -> Viewed:
    """One account of the caller's realm. Raises Refused with `No such user`."""
    async with context.viewing(caller) as view:
        viewer = view.actor.account
        return Viewed(viewer, [await the_account(view.connection, viewer, account_id)])


async def find_by_email(context: Context, caller: Caller, email: str) -> Viewed:
    """One account of the caller's realm by its delivery email, if the caller may see that, or by its display email.

    Raises Refused with `No such user`.
    """
    async with context.viewing(caller) as view:
        viewer = view.actor.account
        account = (await find_addressed(view.connection, viewer, [email])).get(email_key(email))
    if account is None:
        raise Refused("No such user")
    return Viewed(viewer, [account])
