"""Tables of accounts: filtered by a text and a status, sorted by a column, a page at a time, according to the page's
query.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from keybearer.server.domain.account_lists import AccountQuery, AccountSort, Found
from keybearer.server.domain.paging import Page, Position
from keybearer.server.web.visit import Visit

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class TableQuery:
    """Which rows a table shows, and in which order."""

    active: bool
    text: str
    sort: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """The rows on the page, and links to the pages before and after it.

    `has_any` says whether the status alone leaves some. `is_empty` says whether there is nothing to filter.
    """

    query: TableQuery
    rows: Sequence[Row]
    links: PageLinks
    has_any: bool
    is_empty: bool


@dataclass(frozen=True, slots=True)
class PageLinks:
    """The queries of the pages before and after one. None if there is none."""

    previous: Mapping[str, object] | None
    next: Mapping[str, object] | None


def links_of(page: Page[Row], query: Mapping[str, object]) -> PageLinks:
    """The links of a page whose other pages have the same query."""
    return PageLinks(_link(page.previous, query), _link(page.next, query))


def _link(position: Position | None, query: Mapping[str, object]) -> Mapping[str, object] | None:
    if position is None:
        return None
    return {**query, **({"after": position.after} if position.before is None else {"before": position.before})}


def read_position(visit: Visit) -> Position:
    """The position in a list that the page's query names. A wrong one is its beginning."""
    return Position(_id(visit.query.get("after", "")), _id(visit.query.get("before", "")))


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def read_text(visit: Visit) -> str:
    """The text that is searched for."""
    return visit.query.get("filter", "").strip()


def read_query(visit: Visit, sorts: Collection[AccountSort]) -> AccountQuery:
    """The accounts that the page's query names. It can sort by name, and by these columns."""
    wanted = visit.query.get("sort", "")
    return AccountQuery(
        active=visit.query.get("status") != "deactivated",
        text=read_text(visit),
        sort=next((each for each in sorts if each.value == wanted), AccountSort.NAME),
        descending=visit.query.get("order") == "descending",
        position=read_position(visit),
    )


def table_of(query: AccountQuery, found: Found[Row]) -> Table[Row]:
    """The table that shows what was found."""
    of_page: dict[str, object] = {
        "status": "active" if query.active else "deactivated",
        "filter": query.text,
        "sort": query.sort.value,
        "order": "descending" if query.descending else "ascending",
    }
    return Table(
        TableQuery(bool(query.active), query.text, query.sort.value, query.descending),
        found.page.entries,
        links_of(found.page, of_page),
        found.has_any,
        found.is_empty,
    )
