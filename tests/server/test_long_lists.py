"""No page grows with the number of accounts, bots, invitations, channels or keys: their lists have pages."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode, urljoin

import pytest
from sqlalchemy import select

from keybearer.server.domain.links import LinkPurpose
from keybearer.server.storage import accounts as account_rows
from keybearer.server.storage.tables import accounts, api_keys, links
from keybearer.server.web.routes import ROUTES
from tests.server.crowd import BOTS_OF_ONE, FORMS, World
from tests.statements import Statement, noting

FEW, MANY = 300, 3000
"""Both are more than a page shows."""

WALKED = 130
"""Enough for three pages of everything."""

MOST_ROWS = 500

PAGES = [page.path for page in ROUTES if page.method == "GET"]
SEARCHES = [
    "/people/?filter=person",
    "/organization/users/?filter=person&sort=email",
    "/settings/bots/?filter=robot",
    "/settings/bots/botserverrc/?filter=robot",
    "/organization/bots/?filter=robot&sort=last-used",
    "/organization/invitations/?filter=invited",
    "/organization/api-keys/?filter=person",
    "/organization/audit/?who=person",
]


def rows_of(url: str, statements: Sequence[Statement]) -> int:
    """How many rows these statements read from an SQLite database. 0 for PostgreSQL, which reads the same ones."""
    kind, _, path = url.partition(":///")
    if kind != "sqlite":
        return 0
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("casefold", 1, str.casefold, deterministic=True)
        return sum(
            connection.execute(f"SELECT count(*) FROM ({each.text})", each.parameters).fetchone()[0]  # noqa: S608
            for each in statements
            if each.text.startswith(("SELECT", "WITH"))
        )


@dataclass(frozen=True)
class Work:
    """What a page costs."""

    sent: int
    statements: int
    rows: int


async def work_of_pages(world: World) -> dict[str, Work]:
    """What each page, search and refused form costs."""
    costs = {}
    shown: list[tuple[str, dict[str, str] | None]] = [(path, None) for path in (*PAGES, *SEARCHES)]
    for path, fields in (*shown, *FORMS.items()):
        with noting() as statements:
            filled = world.filled(path)
            answer = await (world.get(filled) if fields is None else world.post(filled, fields))
        assert answer.status < 500, path
        rows = rows_of(world.server.settings.database_url or "", statements)
        costs[path if fields is None else f"form {path}"] = Work(len(answer.body), len(statements), rows)
    return costs


async def test_no_page_reads_or_sends_more_when_there_is_ten_times_as_much(world: World) -> None:
    await world.add_crowd(FEW)
    await work_of_pages(world)
    few = await work_of_pages(world)
    await world.add_crowd(MANY)
    many = await work_of_pages(world)
    grown = [
        f"{path}: {few[path]} {work}"
        for path, work in many.items()
        if work.sent > few[path].sent * 1.05 + 100
        or work.statements > few[path].statements
        or work.rows > few[path].rows * 1.05
    ]
    assert not grown
    assert not [f"{path}: {work}" for path, work in many.items() if work.rows > MOST_ROWS]


@dataclass(frozen=True)
class Listing:
    """A page that lists something: how an entry is found in it, and the ids of all entries."""

    path: str
    entry: str
    sorts: tuple[str, ...] = ("",)

    async def expected(self, world: World) -> set[int]:
        """The ids of all entries."""
        columns = accounts.c
        wanted = {
            "/people/": select(columns.id).where(columns.bot_type.is_(None), columns.is_active),
            "/organization/users/": select(columns.id).where(columns.bot_type.is_(None), columns.is_active),
            "/settings/bots/": select(columns.id).where(columns.bot_owner_id == world.owner.id),
            "/settings/bots/botserverrc/": select(columns.id).where(columns.bot_owner_id == world.owner.id),
            "/organization/bots/": select(columns.id).where(columns.bot_type.is_not(None)),
            "/organization/invitations/": select(links.c.id).where(links.c.purpose == LinkPurpose.INVITATION.value),
            "/organization/api-keys/?kind=named": select(api_keys.c.id).where(api_keys.c.is_account_key.is_(False)),
        }
        async with world.server.context.reading() as connection:
            return set((await connection.execute(wanted[self.path])).scalars())


OF_PEOPLE = ("name", "role", "joined")
OF_BOTS = ("name", "email", "role", "owner", "type", "last-used")
LISTINGS = [
    Listing("/people/", r'href="/messages/\?with=(\d+)"', OF_PEOPLE),
    Listing("/organization/users/", r'href="/organization/users/(\d+)/" data-dialog', (*OF_PEOPLE, "email")),
    Listing("/settings/bots/", r'href="/settings/bots/(\d+)/" data-dialog="panel"', OF_BOTS),
    Listing("/settings/bots/botserverrc/", r'name="bot_(\d+)"'),
    Listing("/organization/bots/", r'href="/settings/bots/(\d+)/" data-dialog="panel"', OF_BOTS),
    Listing("/organization/invitations/", r"/organization/invitations/(\d+)/revoke/"),
    Listing("/organization/api-keys/?kind=named", r"/organization/api-keys/(\d+)/revoke/"),
]


async def walk(world: World, path: str, entry: str, relation: str) -> tuple[list[list[int]], str]:
    """The entries of a page and of all pages that follow by one kind of link, and the path of the last."""
    pages = []
    while True:
        answer = await world.get(path)
        pages.append([int(each) for each in re.findall(entry, answer.text)])
        link = re.search(rf'href="([^"]*)" rel="{relation}"', answer.text)
        if link is None:
            return pages, path
        path = urljoin(path, unescape(link[1]))


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.path)
async def test_the_pages_of_a_list_have_every_entry_once_in_both_directions(world: World, listing: Listing) -> None:
    await world.add_crowd(WALKED)
    expected = await listing.expected(world)
    assert len(expected) > 100
    for sort in listing.sorts:
        for order in ("ascending", "descending") if sort else ("",):
            start = f"{listing.path}?{urlencode({'sort': sort, 'order': order})}" if sort else listing.path
            pages, last = await walk(world, start, listing.entry, "next")
            entries = [entry for page in pages for entry in page]
            assert sorted(entries) == sorted(expected), start
            assert len(pages) > 1
            back, _ = await walk(world, last, listing.entry, "prev")
            assert back == pages[::-1], start


async def test_the_entries_of_the_pages_are_in_the_order_of_the_column(world: World) -> None:
    await world.add_crowd(WALKED)
    async with world.server.context.reading() as connection:
        found = [each for each in await account_rows.find_all(connection, 1) if each.is_active and not each.is_bot]
    keys = {
        "name": lambda each: each.full_name.casefold(),
        "role": lambda each: each.role,
        "joined": lambda each: each.date_joined,
    }
    for sort, key in keys.items():
        for order in ("ascending", "descending"):
            pages, _ = await walk(world, f"/people/?sort={sort}&order={order}", LISTINGS[0].entry, "next")
            expected = sorted(found, key=key, reverse=order == "descending")
            assert [entry for page in pages for entry in page] == [each.id for each in expected], (sort, order)


async def test_a_page_after_an_entry_that_is_gone_is_the_first_one(world: World) -> None:
    await world.add_crowd(WALKED)
    for listing in LISTINGS:
        first, _ = await walk(world, listing.path, listing.entry, "none")
        mark = "&" if "?" in listing.path else "?"
        for query in ("after=999999999", "after=zebra", "before=zebra"):
            found, _ = await walk(world, f"{listing.path}{mark}{query}", listing.entry, "none")
            assert found == first, (listing.path, query)


async def test_a_position_says_nothing_about_an_account_that_is_not_in_the_list(world: World) -> None:
    await world.add_crowd(WALKED)
    other = await world.server.add_person("other")
    foreign = await world.server.add_bot(other, "foreign")
    entry = LISTINGS[2].entry
    for sort in OF_BOTS:
        first, _ = await walk(world, f"/settings/bots/?sort={sort}", entry, "none")
        for account_id in (foreign.id, other.id):
            for name in ("after", "before"):
                found, _ = await walk(world, f"/settings/bots/?sort={sort}&{name}={account_id}", entry, "none")
                assert found == first, (sort, name)


async def test_a_page_says_how_many_other_keys_end_too(world: World) -> None:
    await world.add_crowd(FEW)
    answer = await world.get(world.filled("/settings/account/api-keys/{key_id}/revoke/"))
    assert answer.text.count("“descendant”") == 50
    assert f"and {FEW - 50} other keys." in answer.text


async def test_an_owner_has_at_most_as_many_bots_as_are_tested(world: World) -> None:
    await world.add_crowd(BOTS_OF_ONE + 1)
    assert len(await LISTINGS[2].expected(world)) == BOTS_OF_ONE
