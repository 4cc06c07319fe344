"""Pages of the live keys of an organization, as an administrator sees them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, func, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.api_keys import UNUSED_AFTER, APIKeyRecord
from keybearer.server.domain.key_lists import ENDS_SOON, KeyKind, KeyQuery
from keybearer.server.domain.paging import Page
from keybearer.server.storage.account_pages import has_name_or_email
from keybearer.server.storage.api_keys import from_row, is_live_at, records
from keybearer.server.storage.dialect import has_text
from keybearer.server.storage.paging import Order, find_page
from keybearer.server.storage.tables import accounts, api_key_uses, api_keys


async def find_live_keys(
    connection: AsyncConnection, viewer: Account, query: KeyQuery, now: datetime, *, dummy_domain: str
) -> Page[APIKeyRecord]:
    """A page of the keys that match a query, in the order of issue."""
    statement = records().join(accounts, accounts.c.id == api_keys.c.account_id)
    statement = statement.where(accounts.c.realm_id == viewer.realm_id, is_live_at(now), *_of_kind(query.kind, now))
    if query.text:
        is_found = has_name_or_email(viewer, query.text, dummy_domain)
        statement = statement.where(or_(has_text(api_keys.c.name, query.text), is_found))
    return await find_page(connection, statement, Order(api_keys.c.id), query.position, from_row)


def _of_kind(kind: KeyKind, now: datetime) -> tuple[ColumnElement[bool], ...]:
    match kind:
        case KeyKind.ALL:
            return ()
        case KeyKind.NAMED:
            return (api_keys.c.is_account_key.is_(False),)
        case KeyKind.UNUSED:
            used_at = func.coalesce(api_key_uses.c.last_used_at, api_keys.c.created_at)
            return (used_at <= now - UNUSED_AFTER,)
        case KeyKind.ENDING:
            return (api_keys.c.expires_at <= now + ENDS_SOON,)
