"""Reset links that administrators create: for whom, for how long, and who is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.errors import Refused
from keybearer.server.services import accounts, bots, deactivation, passwords, reset_links, sessions
from tests.in_process import PASSWORD, InProcessServer, Known, prepared, serving

NEW = Secret("eleven herons over the weir")
HERE = RequestOrigin("192.0.2.1", "test")
PEOPLE = (Role.OWNER, Role.ADMINISTRATOR, Role.MODERATOR, Role.MEMBER, Role.GUEST)


async def make(server: InProcessServer, actor: Known, subject: Known) -> Secret:
    return await reset_links.create(server.context, Caller(actor.account), subject.id)


async def signed_in_with_news(server: InProcessServer, who: Known, password: Secret) -> bool:
    return (await sessions.sign_in(server.context, who.email, password, HERE)).reset_link_made


async def test_a_link_is_created_only_for_people_of_a_lower_role(server: InProcessServer) -> None:
    cast = {role: await server.add_person(role.label, role) for role in PEOPLE}
    for actor in PEOPLE:
        for subject in PEOPLE:
            if actor <= Role.ADMINISTRATOR and subject > actor:
                assert await make(server, cast[actor], cast[subject])
            else:
                with pytest.raises(Refused):
                    await make(server, cast[actor], cast[subject])
    bot = await server.add_bot(cast[Role.MEMBER], "hambot")
    with pytest.raises(Refused, match="active users"):
        await make(server, cast[Role.OWNER], bot)
    await bots.deactivate(server.context, None, bot.id)
    await deactivation.deactivate_person(server.context, None, cast[Role.GUEST].id)
    with pytest.raises(Refused, match="active users"):
        await make(server, cast[Role.OWNER], cast[Role.GUEST])


async def test_a_link_works_once_and_for_an_hour(server_on_each: InProcessServer) -> None:
    server = server_on_each
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    token, now = await make(server, iago, hamlet), server.context.clock()
    late = replace(server.context, clock=lambda: now + timedelta(hours=1, seconds=1))
    with pytest.raises(Refused, match="has expired"):
        await passwords.reset(late, token, NEW, HERE)
    await passwords.reset(server.context, token, NEW, HERE)
    with pytest.raises(Refused, match="used or has expired"):
        await passwords.reset(server.context, token, Secret(PASSWORD), HERE)
    assert ("password:reset_link_created", iago.id, hamlet.id) in await server.events()


@pytest.mark.parametrize("change", ["its maker is demoted", "its maker is deactivated", "its account is promoted"])
async def test_a_link_ends_with_its_creators_right_to_create_it(server: InProcessServer, change: str) -> None:
    olive = await server.add_person("olive", Role.OWNER)
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    token, owner = await make(server, iago, hamlet), Caller(olive.account)
    if change == "its maker is deactivated":
        await deactivation.deactivate_person(server.context, owner, iago.id)
    else:
        whose, role = (iago, Role.MEMBER) if "demoted" in change else (hamlet, Role.ADMINISTRATOR)
        await accounts.change_person(server.context, owner, whose.id, role=role)
    assert await passwords.find_reset(server.context, token) is None
    with pytest.raises(Refused, match="has expired"):
        await passwords.reset(server.context, token, NEW, HERE)


async def test_the_account_is_told_at_its_next_sign_in_whether_the_link_was_used_or_not(
    server: InProcessServer,
) -> None:
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    assert not await signed_in_with_news(server, hamlet, Secret(PASSWORD))
    token = await make(server, iago, hamlet)
    assert await signed_in_with_news(server, hamlet, Secret(PASSWORD))
    assert not await signed_in_with_news(server, hamlet, Secret(PASSWORD))
    await make(server, iago, hamlet)
    await passwords.reset(server.context, token, NEW, HERE)
    assert await signed_in_with_news(server, hamlet, NEW)
    assert not await signed_in_with_news(server, iago, Secret(PASSWORD))


async def test_if_mail_is_sent_nobody_creates_a_link_for_others(tmp_path: Path, sqlite_template: Path) -> None:
    settings = prepared(tmp_path / "data", sqlite_template, smtp_url="smtp://127.0.0.1:1")
    async with serving(settings) as server:
        olive, hamlet = await server.add_person("olive", Role.OWNER), await server.add_person("hamlet")
        with pytest.raises(Refused, match="This server sends mail"):
            await make(server, olive, hamlet)
        browser = await server.signed_in(olive)
        assert "create a reset link" not in (await browser.get(f"/organization/users/{hamlet.id}/")).text
