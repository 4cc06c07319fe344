"""Pages of accounts, as an account sees them. A search never looks at an address that the viewer may not see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, case, cast, exists, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.account_lists import AccountList, AccountQuery, AccountSort, Found
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.paging import PER_PAGE, Page
from keybearer.server.storage.accounts import COLUMNS, OWNER_COLUMNS, from_row
from keybearer.server.storage.dialect import casefolded, has_text
from keybearer.server.storage.instants import Instant
from keybearer.server.storage.paging import Order, find_page
from keybearer.server.storage.tables import accounts, api_key_uses, api_keys
from keybearer.server.storage.visibility import sees_address, sees_bot

Condition = ColumnElement[bool]
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_OWNERS = accounts.alias("named_owners")

_IN_LIST: Mapping[AccountList, Callable[[Account], Sequence[Condition]]] = {
    AccountList.EVERYBODY: lambda _viewer: (),
    AccountList.PEOPLE: lambda _viewer: (accounts.c.bot_type.is_(None),),
    AccountList.OWN_BOTS: lambda viewer: (accounts.c.bot_owner_id == viewer.id, accounts.c.bot_type.is_not(None)),
    AccountList.MANAGED_BOTS: lambda viewer: (sees_bot(viewer),),
}


async def find_accounts(
    connection: AsyncConnection,
    viewer: Account,
    wanted: AccountList,
    query: AccountQuery,
    *,
    dummy_domain: str,
    limit: int = PER_PAGE,
) -> Found[Account]:
    """A page of the accounts of a list that match a query. `dummy_domain` is that of addresses for those who hide
    theirs.
    """
    listed, status = _listed(viewer, wanted), _status(query)
    statement = select(*COLUMNS).where(*listed, *status, *_texts(viewer, query.text, dummy_domain))
    order = Order(accounts.c.id, _sorted_by(query.sort, viewer, dummy_domain), query.descending)
    page: Page[Account] = await find_page(connection, statement, order, query.position, from_row, limit=limit)
    if page.entries:
        return Found(page)
    any_with_status, any_at_all = select(accounts.c.id).where(*listed, *status), select(accounts.c.id).where(*listed)
    row = (await connection.execute(select(exists(any_with_status), exists(any_at_all)))).one()
    return Found(page, has_any=bool(row[0]), is_empty=not row[1])


async def find_matching_ids(
    connection: AsyncConnection, viewer: Account, text: str, *, dummy_domain: str, limit: int
) -> Sequence[int]:
    """The ids of the accounts that have a text in the name or in the email that the viewer sees, the first by id."""
    statement = select(accounts.c.id).where(
        *_listed(viewer, AccountList.EVERYBODY), *_texts(viewer, text, dummy_domain)
    )
    return (await connection.execute(statement.order_by(accounts.c.id).limit(limit))).scalars().all()


def has_name_or_email(viewer: Account, text: str, dummy_domain: str) -> Condition:
    """Whether a row of `accounts` has a text in its name or in the email that the viewer sees, in any case."""
    return or_(has_text(accounts.c.full_name, text), has_text(_shown_email(viewer, dummy_domain), text))


def _listed(viewer: Account, wanted: AccountList) -> Sequence[Condition]:
    return (accounts.c.realm_id == viewer.realm_id, *_IN_LIST[wanted](viewer))


def _status(query: AccountQuery) -> Sequence[Condition]:
    return () if query.active is None else (accounts.c.is_active.is_(query.active),)


def _texts(viewer: Account, text: str, dummy_domain: str) -> Sequence[Condition]:
    return (has_name_or_email(viewer, text, dummy_domain),) if text else ()


def _shown_email(viewer: Account, dummy_domain: str) -> ColumnElement[str]:
    """The address of a row of `accounts` that the viewer sees, as `visibility.shown_email` says."""
    dummy = literal("user").concat(cast(accounts.c.id, Text)).concat(f"@{dummy_domain}")
    return case((sees_address(viewer), accounts.c.delivery_email), else_=dummy)


def _sorted_by(sort: AccountSort, viewer: Account, dummy_domain: str) -> ColumnElement[Any]:
    if sort is AccountSort.EMAIL:
        return casefolded(_shown_email(viewer, dummy_domain))
    return _SORTED_BY[sort]


_OWNER_ROLE = OWNER_COLUMNS[0].element
_OWNER_NAME = select(_OWNERS.c.full_name).where(_OWNERS.c.id == accounts.c.bot_owner_id).scalar_subquery()
_LAST_USED = (
    select(api_key_uses.c.last_used_at)
    .join(api_keys, api_keys.c.id == api_key_uses.c.key_id)
    .where(api_keys.c.account_id == accounts.c.id, api_keys.c.is_account_key, api_keys.c.revoked_at.is_(None))
    .scalar_subquery()
)
_SORTED_BY: Mapping[AccountSort, ColumnElement[Any]] = {
    AccountSort.NAME: casefolded(accounts.c.full_name),
    # The role in effect: a bot is never more than its owner.
    AccountSort.ROLE: case((accounts.c.role < _OWNER_ROLE, _OWNER_ROLE), else_=accounts.c.role),
    AccountSort.JOINED: accounts.c.date_joined,
    AccountSort.OWNER: casefolded(func.coalesce(_OWNER_NAME, "", type_=Text)),
    AccountSort.TYPE: func.coalesce(accounts.c.bot_type, 0),
    AccountSort.LAST_USED: func.coalesce(_LAST_USED, literal(_NEVER, Instant), type_=Instant),
}
