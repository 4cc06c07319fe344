"""Searches find what somebody sees, and nobody by an address that they may not see. Where there are many people, a text
says who is meant.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from keybearer.server.domain.accounts import EmailVisibility, Role
from keybearer.server.storage import accounts as account_rows
from tests.asgi import ask, by_session
from tests.server.crowd import FORMS, World

FEW = 300
"""More than a form offers."""

HIDDEN = "kestrel-nest@example.org"


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
