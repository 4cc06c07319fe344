"""A bot is never more than its owner currently is, and does nothing without an active owner."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import update

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import NotPermitted, Refused
from keybearer.server.services import accounts, api_keys, bots
from keybearer.server.services.accounts import OwnChange
from keybearer.server.services.bots import BotChange
from keybearer.server.storage.tables import accounts as accounts_table
from tests.in_process import InProcessServer, Known

NO_OWNER = "This bot has no active owner: ask an administrator to take it over."


@dataclass(frozen=True)
class Pair:
    """An owner of the organization, an administrator, and a bot of the administrator with the same role."""

    olive: Known
    iago: Known
    bot: Known


async def pair(server: InProcessServer) -> Pair:
    olive, iago = await server.add_person("olive", Role.OWNER), await server.add_person("iago", Role.ADMINISTRATOR)
    bot = await server.add_bot(iago, "iagobot")
    await give_role(server, olive, bot, Role.ADMINISTRATOR)
    return Pair(olive, iago, bot)


async def give_role(server: InProcessServer, by: Known, to: Known, role: Role) -> str:
    answer = await server.client().patch(f"/api/v1/users/{to.id}", auth=by.auth, data={"role": str(role.value)})
    return str(answer.json()["msg"])


async def get(server: InProcessServer, who: Known, path: str, **query: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await server.client().get(f"/api/v1/{path}", auth=who.auth, params=query)).json()
    return answer


async def test_a_bot_of_a_demoted_administrator_promotes_nobody(server_on_each: InProcessServer) -> None:
    server, on = server_on_each, await pair(server_on_each)
    assert await give_role(server, on.bot, on.iago, Role.ADMINISTRATOR) == ""
    await give_role(server, on.olive, on.iago, Role.MEMBER)
    assert await give_role(server, on.bot, on.iago, Role.ADMINISTRATOR) == "Insufficient permission"
    assert await give_role(server, on.bot, on.bot, Role.ADMINISTRATOR) == "Insufficient permission"


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.MEMBER, Role.GUEST])
async def test_the_wire_shows_the_role_in_effect(server_on_each: InProcessServer, role: Role) -> None:
    server, on = server_on_each, await pair(server_on_each)
    await give_role(server, on.olive, on.iago, role)
    own = await get(server, on.bot, "users/me")
    assert (own["role"], own["is_admin"], own["is_guest"]) == (role, False, role is Role.GUEST)
    assert (await get(server, on.olive, f"users/{on.bot.id}"))["user"]["role"] == role
    assert {each["user_id"]: each["role"] for each in (await get(server, on.olive, "users"))["members"]} == {
        on.olive.id: Role.OWNER,
        on.iago.id: role,
        on.bot.id: role,
    }
    await give_role(server, on.olive, on.iago, Role.ADMINISTRATOR)
    assert (await get(server, on.bot, "users/me"))["role"] == Role.ADMINISTRATOR


async def test_events_report_the_bots_whose_role_in_effect_changes_with_their_owners(
    server_on_each: InProcessServer,
) -> None:
    server, on = server_on_each, await pair(server_on_each)
    await server.add_bot(on.iago, "plain")  # a member as before
    form = {"event_types": '["realm_user"]'}
    queue = (await server.client().post("/api/v1/register", auth=on.olive.auth, data=form)).json()
    await give_role(server, on.olive, on.iago, Role.MODERATOR)
    found = await get(server, on.olive, "events", queue_id=queue["queue_id"], last_event_id="-1", dont_block="true")
    assert [event["person"] for event in found["events"]] == [
        {"user_id": on.iago.id, "role": Role.MODERATOR},
        {"user_id": on.bot.id, "role": Role.MODERATOR},
    ]


async def test_nobody_can_give_a_role_above_their_own(server_on_each: InProcessServer) -> None:
    server, on = server_on_each, await pair(server_on_each)
    refusal = "Must be an organization owner"
    assert await give_role(server, on.iago, on.bot, Role.OWNER) == refusal
    with pytest.raises(NotPermitted, match=refusal):
        await bots.change_bot(server.context, Caller(on.iago.account), on.bot.id, BotChange(role=Role.OWNER))


async def test_handing_over_a_bot_cannot_raise_it_above_the_actors_role(server_on_each: InProcessServer) -> None:
    server, on = server_on_each, await pair(server_on_each)
    await give_role(server, on.olive, on.iago, Role.MEMBER)
    path, form = f"/api/v1/bots/{on.bot.id}", {"bot_owner_id": str(on.olive.id)}
    refused = await server.client().patch(path, auth=on.iago.auth, data=form)
    assert refused.json()["msg"] == "Must be an organization administrator"
    assert (await server.client().patch(path, auth=on.olive.auth, data=form)).status_code == 200
    assert (await server.known(on.bot.email)).account.role is Role.ADMINISTRATOR


async def without_owner(server: InProcessServer, on: Pair, how: str) -> None:
    """Make the bot active without an active owner, as in a database of an earlier version."""
    async with server.context.change(None, holding=[on.bot.id, on.iago.id], for_change=True) as change:
        subject, values = (on.iago, {"is_active": False}) if how == "deactivated" else (on.bot, {"bot_owner_id": None})
        await change.connection.execute(
            update(accounts_table).where(accounts_table.c.id == subject.id).values(**values)
        )


@pytest.mark.parametrize("how", ["deactivated", "missing"])
async def test_a_bot_without_an_active_owner_does_nothing_until_an_administrator_takes_it_over(
    server_on_each: InProcessServer, how: str
) -> None:
    server, on = server_on_each, await pair(server_on_each)
    await without_owner(server, on, how)
    answer = await server.client().get("/api/v1/users/me", auth=on.bot.auth)
    assert (answer.status_code, answer.json()["msg"]) == (401, NO_OWNER)
    with pytest.raises(Refused, match="no active owner"):
        await accounts.change_own(server.context, Caller(on.bot.account), OwnChange(full_name="Other Name"))
    taken = await server.client().post(f"/api/v1/users/{on.bot.id}/reactivate", auth=on.olive.auth)
    assert taken.status_code == 200
    bot = await server.known(on.bot.email)
    assert (bot.account.bot_owner_id, bot.api_key == on.bot.api_key) == (on.olive.id, False)
    assert (await get(server, bot, "users/me"))["role"] == Role.ADMINISTRATOR


async def test_a_new_owner_can_take_over_a_bot(server_on_each: InProcessServer) -> None:
    server, on = server_on_each, await pair(server_on_each)
    await without_owner(server, on, "deactivated")
    form = {"bot_owner_id": str(on.olive.id)}
    assert (await server.client().patch(f"/api/v1/bots/{on.bot.id}", auth=on.olive.auth, data=form)).status_code == 200
    assert (await get(server, await server.known(on.bot.email), "users/me"))["result"] == "success"


async def test_a_bot_cannot_take_over_another_bot(server_on_each: InProcessServer) -> None:
    server, on = server_on_each, await pair(server_on_each)
    other = await server.add_bot(on.olive, "olivebot")
    await give_role(server, on.olive, other, Role.ADMINISTRATOR)
    await without_owner(server, on, "deactivated")
    answer = await server.client().post(f"/api/v1/users/{on.bot.id}/reactivate", auth=other.auth)
    assert answer.json()["msg"] == "Insufficient permission"


ROUNDS = 3


async def test_changes_of_a_bot_and_its_owner_in_either_order_never_deadlock(server_on_each: InProcessServer) -> None:
    server, order = server_on_each, random.Random(3)
    first, last = await server.add_person("first", Role.OWNER), None
    younger = [await server.add_bot(first, f"bot{number}") for number in range(3)]
    last = await server.add_person("last", Role.OWNER)
    for bot in younger:  # their ids are below their owner's, those of the others above
        await bots.change_bot(server.context, Caller(first.account), bot.id, BotChange(owner_id=last.id))
    older = [await server.add_bot(last, f"later{number}") for number in range(3)]

    def calls() -> list[Coroutine[Any, Any, object]]:
        context, owner, other = server.context, Caller(last.account), Caller(first.account)
        found: list[Coroutine[Any, Any, object]] = [
            accounts.change_own(context, owner, OwnChange(full_name=order.choice(["Last", "Least"]))),
            accounts.change_person(context, other, last.id, role=order.choice([Role.OWNER, Role.ADMINISTRATOR])),
            api_keys.regenerate_own(context, owner),
            api_keys.reveal_own_bots(context, owner),
            api_keys.regenerate_all_by_operator(context),
        ]
        for bot in (*younger, *older):
            itself = Caller(bot.account)
            found += [
                accounts.change_own(context, itself, OwnChange(full_name=f"Bot {order.random()}")),
                api_keys.regenerate_own(context, itself),
                api_keys.regenerate_bot(context, owner, bot.id),
                api_keys.reveal_bot(context, other, bot.id),
                bots.change_bot(context, other, bot.id, BotChange(owner_id=order.choice([first.id, last.id]))),
            ]
        order.shuffle(found)
        return found

    for _ in range(ROUNDS):
        outcomes = await asyncio.gather(*calls(), return_exceptions=True)
        assert [error for error in outcomes if isinstance(error, Exception) and not isinstance(error, Refused)] == []
