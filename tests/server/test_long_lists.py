"""No page grows with the number of accounts, bots, invitations, channels or keys. Their lists have pages and a search,
which never finds anybody by an address that the visitor may not see.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urlencode, urljoin

import pytest
import pytest_asyncio
from sqlalchemy import select

from keybearer.server.domain.accounts import EmailVisibility, Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.domain.named_keys import NewKey
from keybearer.server.services import named_keys
from keybearer.server.storage import accounts as account_rows
from keybearer.server.storage.tables import accounts, api_keys, links
from keybearer.server.web.routes import ROUTES
from tests.asgi import FORM_TYPE, Answer, Headers, ask, by_session, form
from tests.in_process import InProcessServer, Known, prepared, serving
from tests.server.crowd import BOTS_OF_ONE, add_crowd
from tests.server.questions import fill
from tests.statements import Statement, noting

FEW, MANY = 300, 3000
"""Both are more than a page shows."""

WALKED = 130
"""Enough for three pages of everything."""

MOST_ROWS = 500

HIDDEN = "kestrel-nest@example.org"


@dataclass(frozen=True)
class World:
    """A server whose owner has a bot and a named key, from which other keys descend."""

    server: InProcessServer
    owner: Known
    bot: Known
    key_id: int
    headers: Headers

    async def add_crowd(self, count: int) -> None:
        await add_crowd(self.server.context, self.owner.account, self.key_id, count)

    async def get(self, path: str) -> Answer:
        return await ask(self.server.app, "GET", path, self.headers)

    async def post(self, path: str, fields: dict[str, str]) -> Answer:
        return await ask(self.server.app, "POST", path, {**self.headers, "content-type": FORM_TYPE}, form(fields))

    def filled(self, path: str) -> str:
        """The path of a page with ids that exist."""
        ids = {"bot_id": self.bot.id, "account_id": self.owner.id, "key_id": self.key_id, "topic": "bots"}
        return re.sub(r"\{(\w+)\}", lambda name: str(ids.get(name[1], 1)), path)


async def new_world(server: InProcessServer) -> World:
    owner = await server.add_person("owner", Role.OWNER)
    await fill(server, owner)
    bot = await server.add_bot(owner, "robot")
    key = await named_keys.create(server.context, Caller(owner.account), NewKey("parent"))
    return World(server, owner, bot, key.record.id, by_session(await server.signed_in(owner)))


@pytest_asyncio.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    async with serving(prepared(tmp_path / "data", database_url=database_url, api_limit="100000/minute")) as server:
        yield await new_world(server)


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
FORMS = {
    "/messages/new/": {"to_named": "0", "content": "hello"},
    "/settings/bots/{bot_id}/": {"new_owner": "person", "full_name": "Robot"},
    "/settings/bots/botserverrc/": {},
}
"""Forms that are shown again, because they do not say enough."""


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
    for path in (*PAGES, *SEARCHES, *FORMS):
        fields = FORMS.get(path) if path not in costs else None
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


async def hide_somebody(world: World) -> None:
    """Add a person who hides their address from everybody."""
    heron = await world.server.add_person("heron")
    async with world.server.context.change(None) as change:
        hidden = heron.account._replace(
            full_name="Žofie Heron", delivery_email=HIDDEN, email_visibility=EmailVisibility.NOBODY
        )
        await account_rows.save(change.connection, hidden)


SEARCHED = {
    "/people/": "filter",
    "/organization/users/": "filter",
    "/organization/api-keys/": "filter",
    "/organization/audit/": "who",
}


@pytest.mark.parametrize("text", ["heron", "ŽOFIE HERON", "žofie h"])
async def test_a_search_finds_names_in_any_case(world: World, text: str) -> None:
    await hide_somebody(world)
    for path, name in SEARCHED.items():
        answer = await world.get(f"{path}?{urlencode({name: text})}")
        assert "Žofie Heron" in answer.text.replace(f'value="{text}"', ""), path


@pytest.mark.parametrize("text", [HIDDEN, "kestrel", "NEST@EXAMPLE.ORG", "estrel-nest@example"])
async def test_no_search_finds_anybody_by_a_hidden_address(world: World, text: str) -> None:
    await world.add_crowd(FEW)
    await hide_somebody(world)
    for path, name in SEARCHED.items():
        answer = await world.get(f"{path}?{urlencode({name: text})}")
        assert answer.status == 200
        assert "Heron" not in answer.text, path
    for path, fields in FORMS.items():
        asked = {name: text if name in ("to_named", "new_owner") else value for name, value in fields.items()}
        answer = await world.post(world.filled(path), asked)
        assert answer.status == 400, path
        assert "Heron" not in answer.text, path
        if asked != fields:
            assert "Nothing that you can choose is called" in answer.text, path


@pytest.mark.parametrize("text", ["%", "_", "'", "\\", "\N{GRINNING FACE}", "x" * 5000])
async def test_a_search_takes_every_text_as_it_is(world: World, text: str) -> None:
    await world.add_crowd(60)
    for path, name in {**SEARCHED, "/organization/invitations/": "filter", "/settings/bots/": "filter"}.items():
        answer = await world.get(f"{path}?{urlencode({name: text})}")
        assert answer.status == 200, path
        assert "Žofie Person" not in answer.text, path
    for path, fields in FORMS.items():
        answer = await world.post(world.filled(path), {**fields, **dict.fromkeys(("to_named", "new_owner"), text)})
        assert answer.status == 400, path


async def test_somebody_sees_by_a_search_only_what_the_list_shows_them(world: World) -> None:
    await hide_somebody(world)
    for role in (Role.GUEST, Role.MEMBER, Role.ADMINISTRATOR):
        viewer = await world.server.add_person(f"viewer{role.value}", role)
        browser = by_session(await world.server.signed_in(viewer))
        by_own = await ask(world.server.app, "GET", f"/people/?filter={viewer.email}", browser)
        assert viewer.account.full_name in by_own.text
        by_hidden = await ask(world.server.app, "GET", f"/people/?filter={HIDDEN}", browser)
        assert "Heron" not in by_hidden.text


async def test_a_message_goes_to_whoever_is_named_exactly(world: World) -> None:
    await world.add_crowd(FEW)
    person = await world.server.add_person("hamlet")
    to_person = {"/messages/": f"with={person.id}"}
    for named, query in (("Hamlet", to_person), ("hamlet@example.com", to_person), ("#General", None)):
        answer = await world.post("/messages/new/", {"to_named": named, "topic": "t", "content": "hello"})
        assert answer.status == 303, named
        assert answer.headers["location"].endswith("channel=1&topic=t" if query is None else query["/messages/"])


async def test_a_part_of_a_name_offers_whoever_has_it(world: World) -> None:
    await world.add_crowd(FEW)
    answer = await world.post("/messages/new/", {"to_named": "channel 0000", "topic": "t", "content": "hello"})
    assert answer.status == 400
    assert "Choose which" in answer.text
    assert re.findall(r"<option value=\"channel:\d+\"", answer.text)
    assert "hello</textarea>" in answer.text


async def test_a_bot_is_handed_over_to_the_person_who_is_named_exactly(world: World) -> None:
    await world.add_crowd(FEW)
    hamlet = await world.server.add_person("hamlet")
    path = world.filled("/settings/bots/{bot_id}/")
    kept = {"full_name": world.bot.account.full_name}
    offered = await world.post(path, {**kept, "new_owner": "haml"})
    assert offered.status == 400
    assert f'<option value="{hamlet.id}"' in offered.text
    done = await world.post(path, {**kept, "new_owner": "HAMLET"})
    assert done.status == 303
    async with world.server.context.reading() as connection:
        bot = await account_rows.find(connection, world.bot.id)
    assert bot is not None
    assert bot.bot_owner_id == hamlet.id


async def test_a_page_says_how_many_other_keys_end_too(world: World) -> None:
    await world.add_crowd(FEW)
    answer = await world.get(world.filled("/settings/account/api-keys/{key_id}/revoke/"))
    assert answer.text.count("“descendant”") == 50
    assert f"and {FEW - 50} other keys." in answer.text


async def test_an_owner_has_at_most_as_many_bots_as_are_tested(world: World) -> None:
    await world.add_crowd(BOTS_OF_ONE + 1)
    assert len(await LISTINGS[2].expected(world)) == BOTS_OF_ONE
