"""Accounts as another account sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keybearer.server.domain.account_lists import AccountList, AccountQuery, Found
from keybearer.server.domain.accounts import Account, email_key
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import find_addressed, the_account, the_realm
from keybearer.server.storage import account_pages, accounts


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


@dataclass(frozen=True, slots=True)
class ViewedPage:
    """A page of accounts, and the account that looks at them, as they are at one moment."""

    viewer: Account
    found: Found[Account]


async def find_page(context: Context, caller: Caller, wanted: AccountList, query: AccountQuery) -> ViewedPage:
    """A page of a list of accounts of the caller's realm. A text is searched for only in what the caller may see."""
    async with context.viewing(caller) as view:
        viewer, realm = view.actor.account, await the_realm(view.connection)
        found = await account_pages.find_accounts(view.connection, viewer, wanted, query, dummy_domain=realm.bot_domain)
        return ViewedPage(viewer, found)


async def find_matching_ids(context: Context, caller: Caller, text: str, *, limit: int) -> Sequence[int]:
    """The ids of the accounts with a text in the name or in the email that the caller may see, up to a limit."""
    async with context.viewing(caller) as view:
        viewer, realm = view.actor.account, await the_realm(view.connection)
        return await account_pages.find_matching_ids(
            view.connection, viewer, text, dummy_domain=realm.bot_domain, limit=limit
        )


async def find_named(context: Context, caller: Caller, text: str) -> Sequence[Account]:
    """The active accounts that a text names: by the whole name, in any case, or by an email as `find_by_email`."""
    async with context.viewing(caller) as view:
        viewer = view.actor.account
        by_name = await accounts.find_by_names(view.connection, viewer.realm_id, [text])
        by_email = await find_addressed(view.connection, viewer, [text])
        found = {each.id: each for each in (*by_name, *by_email.values()) if each.is_active}
        return list(found.values())


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
