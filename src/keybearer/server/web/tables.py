"""Tables of accounts: filtered by a text and a status, sorted by a column, according to the page's query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.visibility import shown_email
from keybearer.server.web.visit import Visit

Row = TypeVar("Row")
SortKeys = Mapping[str, Callable[[Row], Any]]
"""The columns by which a table can be sorted, by their name in the query. `name` is the default."""


@dataclass(frozen=True, slots=True)
class TableQuery:
    """Which rows a table shows, and in which order."""

    active: bool
    text: str
    sort: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """The rows that match a query.

    `has_any` says whether the status alone leaves some. `is_empty` says whether there is nothing to filter.
    """

    query: TableQuery
    rows: list[Row]
    has_any: bool
    is_empty: bool


def choose(
    visit: Visit, found: Iterable[Row], account_of: Callable[[Row], Account], sort_keys: SortKeys[Row]
) -> Table[Row]:
    """The rows with the requested status whose account has the text in its name or in the email that is shown."""
    sort = visit.query.get("sort", "name")
    query = TableQuery(
        active=visit.query.get("status") != "deactivated",
        text=visit.query.get("filter", "").strip(),
        sort=sort if sort in sort_keys else "name",
        descending=visit.query.get("order") == "descending",
    )
    everything = list(found)
    with_status = [row for row in everything if account_of(row).is_active is query.active]
    rows = [row for row in with_status if matches(visit, account_of(row), query.text.casefold())]
    rows.sort(key=sort_keys[query.sort], reverse=query.descending)
    return Table(query, rows, has_any=bool(with_status), is_empty=not everything)


def matches(visit: Visit, account: Account, text: str) -> bool:
    """Whether an account has a text, given in lower case, in its name or in the email that the visitor may see."""
    shown = shown_email(visit.caller.account, account, visit.realm.bot_domain)
    return text in account.full_name.casefold() or text in shown.casefold()
