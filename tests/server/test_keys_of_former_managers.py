"""A named key of a bot ends when the person who created it may no longer manage the bot."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from keybearer.server.domain.accounts import Role
from tests.in_process import InProcessServer, Known
from tests.server.named_keys import NamedKey, is_accepted, issued

ALL = ["read", "send", "manage", "keys"]


@dataclass(frozen=True)
class Cast:
    """An owner, two administrators, and a member's bot for which each of them created a key."""

    owner: Known
    iago: Known
    hamlet: Known
    bot: Known
    iagos_bot: Known
    by_iago: NamedKey
    with_iagos_key: NamedKey
    by_petra: NamedKey
    by_owner: NamedKey
    for_own_bot: NamedKey


async def cast(server: InProcessServer) -> Cast:
    owner = await server.add_person("owner", Role.OWNER)
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    petra = await server.add_person("petra", Role.ADMINISTRATOR)
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    iagos_bot = await server.add_bot(iago, "iagobot")
    by_iago = await issued(server, iago.auth, bot=bot, scopes=ALL)
    return Cast(
        owner,
        iago,
        hamlet,
        bot,
        iagos_bot,
        by_iago,
        await issued(server, by_iago.auth, name="child"),
        await issued(server, petra.auth, bot=bot, name="petra"),
        await issued(server, hamlet.auth, bot=bot, name="own"),
        await issued(server, iago.auth, bot=iagos_bot),
    )


@pytest.mark.parametrize("end", ["demoted", "deactivated", "deactivates oneself"])
async def test_keys_for_bots_of_others_end_with_the_right_to_manage_these_bots(
    server_on_each: InProcessServer, end: str
) -> None:
    server = server_on_each
    on = await cast(server)
    of_iagos_bot = await issued(server, on.iagos_bot.auth, name="by the bot itself")
    if end == "demoted":
        answer = await server.client().patch(f"/api/v1/users/{on.iago.id}", auth=on.owner.auth, data={"role": 400})
    elif end == "deactivated":
        answer = await server.client().delete(f"/api/v1/users/{on.iago.id}", auth=on.owner.auth)
    else:
        answer = await server.client().delete("/api/v1/users/me", auth=on.iago.auth)
    assert answer.status_code == 200, answer.text

    assert [await is_accepted(server, key) for key in (on.by_iago, on.with_iagos_key)] == [False, False]
    assert [await is_accepted(server, key) for key in (on.by_petra, on.by_owner)] == [True, True]
    still_owns = end == "demoted"
    assert [await is_accepted(server, key) for key in (on.for_own_bot, of_iagos_bot)] == [still_owns, still_owns]


async def test_the_owner_of_a_bot_is_told_that_somebody_else_created_a_key_for_it(
    server_on_each: InProcessServer,
) -> None:
    on = await cast(server_on_each)
    told = [mail for mail in await server_on_each.mails() if mail.subject == "A new API key of a bot of yours"]
    assert {mail.recipient for mail in told} == {on.hamlet.email}
    assert [name for name in ("Iago", "Petra") for mail in told if f"{name} created" in mail.body] == ["Iago", "Petra"]
    assert not [mail for mail in told if on.by_iago.api_key in mail.body]


@pytest.mark.parametrize("raised", ["the bot", "its owner"])
async def test_keys_end_when_the_bot_becomes_more_than_their_creators(
    server_on_each: InProcessServer, raised: str
) -> None:
    server = server_on_each
    on = await cast(server)
    first = {"the bot": f"users/{on.hamlet.id}", "its owner": f"bots/{on.bot.id}"}
    second = {"the bot": f"bots/{on.bot.id}", "its owner": f"users/{on.hamlet.id}"}
    client = server.client()
    assert (await client.patch(f"/api/v1/{first[raised]}", auth=on.owner.auth, data={"role": 100})).status_code == 200
    assert await is_accepted(server, on.by_iago)
    assert (await client.patch(f"/api/v1/{second[raised]}", auth=on.owner.auth, data={"role": 100})).status_code == 200

    ended = (on.by_iago, on.with_iagos_key, on.by_petra)
    assert [await is_accepted(server, key) for key in ended] == [False, False, False]
    assert await is_accepted(server, on.by_owner)
