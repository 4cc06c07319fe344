"""Many requests at once: on each database nothing breaks, and the result is as if they ran one after another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.api_keys import KeyUse
from keybearer.server.domain.errors import Unauthenticated
from keybearer.server.domain.realms import SystemGroup
from keybearer.server.services import api_keys as keys
from keybearer.server.services import bots, deactivation, housekeeping, passwords
from keybearer.server.services import realms as organization
from keybearer.server.services.bots import NewBot
from keybearer.server.services.realms import RealmChange
from keybearer.server.storage import accounts, api_keys, key_uses, realms
from keybearer.server.storage.key_uses import NewUse
from keybearer.server.storage.tables import links, sessions
from tests.in_process import InProcessServer
from tests.server.named_keys import ALL, CURRENT, OWN, issue, issued
from tests.server.test_regeneration import live_keys

ROUNDS = 4


@pytest.mark.parametrize("seed", range(2))
async def test_changes_of_the_same_accounts_at_once_neither_fail_nor_contradict_each_other(
    server_on_each: InProcessServer, seed: int
) -> None:
    server = server_on_each
    olive = await server.add_person("olive", Role.OWNER)
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    bots = [await server.add_bot(hamlet, f"bot{number}") for number in range(3)]
    client, order = server.client(), random.Random(seed)

    def calls() -> list[tuple[str, str, tuple[str, str], dict[str, str]]]:
        found: list[tuple[str, str, tuple[str, str], dict[str, str]]] = [
            ("DELETE", f"users/{hamlet.id}", olive.auth, {}),
            ("POST", f"users/{hamlet.id}/reactivate", olive.auth, {}),
            ("PATCH", f"users/{hamlet.id}", olive.auth, {"role": order.choice(["300", "400"])}),
            ("POST", "users/me/api_key/regenerate", othello.auth, {}),
            ("POST", "bots", othello.auth, {"full_name": "The Bot", "short_name": "the"}),
        ]
        for bot in bots:
            path = f"bots/{bot.id}"
            found += [
                ("POST", f"{path}/api_key/regenerate", olive.auth, {}),
                ("PATCH", path, hamlet.auth, {"full_name": "Same Name"}),
                ("PATCH", path, olive.auth, {"bot_owner_id": str(order.choice([hamlet.id, othello.id]))}),
                ("GET", f"{path}/api_key", olive.auth, {}),
                ("DELETE", path, olive.auth, {}),
                ("POST", f"users/{bot.id}/reactivate", olive.auth, {}),
            ]
        order.shuffle(found)
        return found

    async def call(method: str, path: str, auth: tuple[str, str], form: dict[str, str]) -> httpx2.Response:
        return await client.request(method, f"/api/v1/{path}", auth=auth, data=form or None)

    for _ in range(ROUNDS):
        answers = await asyncio.gather(*(call(*each) for each in calls()))
        assert {answer.status_code for answer in answers} <= {200, 400, 401}
    for known in (hamlet, othello, *bots):
        assert await live_keys(server, known.id) == 1
    async with server.context.reading() as connection:
        everybody = await accounts.find_all(connection, olive.account.realm_id)
    active = [account.full_name for account in everybody if account.is_active]
    assert len(active) == len(set(active))


async def bots_without_an_owner(server: InProcessServer) -> list[str]:
    """The names of the active bots whose owner is not active."""
    async with server.context.reading() as connection:
        realm = await realms.find(connection)
        assert realm is not None
        everybody = {account.id: account for account in await accounts.find_all(connection, realm.id)}
    return [
        account.full_name
        for account in everybody.values()
        if account.is_active and account.bot_owner_id is not None and not everybody[account.bot_owner_id].is_active
    ]


async def test_a_person_deactivated_in_the_meantime_leaves_no_active_bot_behind(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    deactivated = await server.add_bot(hamlet, "earlier")
    await bots.deactivate(server.context, None, deactivated.id)
    let_in = Caller(hamlet.account, key_id=1)  # like a request before its transaction begins
    await deactivation.deactivate_person(server.context, None, hamlet.id)
    with pytest.raises(Unauthenticated, match="Account is deactivated"):
        await bots.create(server.context, let_in, NewBot("Later", "later"))
    with pytest.raises(Unauthenticated, match="Account is deactivated"):
        await deactivation.reactivate(server.context, let_in, deactivated.id)
    assert await bots_without_an_owner(server) == []
    assert (await server.known(deactivated.email)).account.is_active is False


async def test_deactivating_people_while_their_bots_are_created_or_reactivated_leaves_no_active_bot(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    owners = [await server.add_person(f"owner{number}") for number in range(4)]
    sleeping = [await server.add_bot(owner, f"sleeping{number}") for number, owner in enumerate(owners)]
    for bot in sleeping:
        await bots.deactivate(server.context, None, bot.id)
    calls: list[Coroutine[Any, Any, object]] = []
    for number, (owner, bot) in enumerate(zip(owners, sleeping, strict=True)):
        actor = Caller(owner.account)
        calls += [
            bots.create(server.context, actor, NewBot(f"New {number}", f"new{number}")),
            deactivation.reactivate(server.context, actor, bot.id),
            deactivation.deactivate_person(server.context, None, owner.id),
        ]
    random.Random(1).shuffle(calls)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome).__name__ for outcome in outcomes} <= {"IssuedKey", "Account", "NoneType", "Unauthenticated"}
    assert await bots_without_an_owner(server) == []


async def test_deactivating_a_person_does_not_undo_a_change_of_their_bot(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    async with server.context.change(None, holding=[bot.id], for_change=True) as change:
        before = await accounts.find(change.connection, bot.id)
        assert before is not None
        deactivating = asyncio.create_task(deactivation.deactivate_person(server.context, None, hamlet.id))
        await asyncio.sleep(0.2)  # it has run as far as it can
        await accounts.save(change.connection, before._replace(full_name="New Name"))
    await deactivating
    after = (await server.known(bot.email)).account
    assert (after.full_name, after.is_active) == ("New Name", False)


async def test_every_key_is_replaced_while_their_uses_are_written(server_on_each: InProcessServer) -> None:
    server = server_on_each
    everybody = [await server.add_person(f"person{number}") for number in range(12)]
    for known in reversed(everybody):  # so that the newest keys are those of the oldest accounts
        await keys.regenerate_by_operator(server.context, known.id)
    async with server.context.reading() as connection:
        live = [
            record.id for record in (await api_keys.find_account_keys(connection, [k.id for k in everybody])).values()
        ]
    use = KeyUse(server.context.clock(), "198.51.100.7", "test")

    async def write_uses() -> None:
        async with server.context.change(None) as change:
            await key_uses.record_uses(change.connection, [NewUse(key_id, use) for key_id in live])

    async with server.context.change(None, holding=[everybody[6].id], for_change=True):
        replacing = asyncio.create_task(keys.regenerate_all_by_operator(server.context))
        await asyncio.sleep(0.2)  # it has reached that account
        writing = asyncio.create_task(write_uses())
        await asyncio.sleep(0.2)
    await asyncio.gather(replacing, writing)
    assert [await live_keys(server, known.id) for known in everybody] == [1] * len(everybody)


async def test_the_sweep_and_changes_do_not_wait_for_each_other(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    for _ in range(2):
        await server.signed_in(hamlet)
    await passwords.request_reset(server.context, hamlet.email, RequestOrigin())
    later = replace(server.context, clock=lambda: server.context.clock() + timedelta(days=30))

    async def count() -> list[int]:
        async with server.context.reading() as connection:
            return [len((await connection.execute(select(table.c.id))).all()) for table in (sessions, links)]

    if server.context.database.dialect_name == "postgresql":  # on SQLite there is one writer at a time
        async with server.context.change(None, holding=[hamlet.id], for_change=True) as change:
            for table in (sessions, links):
                await change.connection.execute(select(table.c.id).with_for_update())
            await asyncio.wait_for(asyncio.create_task(housekeeping.sweep(later)), 30)
        assert await count() == [2, 1]
    await housekeeping.sweep(later)
    assert await count() == [0, 0]


async def test_changes_of_the_organization_at_once_are_all_kept(server_on_each: InProcessServer) -> None:
    server = server_on_each
    olive = Caller((await server.add_person("olive", Role.OWNER)).account)
    for number in range(ROUNDS):
        group = (SystemGroup.OWNERS, SystemGroup.ADMINISTRATORS)[number % 2]
        wanted = (
            RealmChange(can_create_bots=group),
            RealmChange(can_create_write_only_bots=group),
            RealmChange(can_invite=group),
        )
        await asyncio.gather(
            *(organization.change(server.context, olive, each) for each in wanted),
            organization.move(server.context, f"https://chat{number}.example.com"),
        )
        after = await organization.find(server.context)
        assert (after.can_create_bots, after.can_create_write_only_bots, after.can_invite) == (group,) * 3
        assert after.host == f"chat{number}.example.com"


@pytest.mark.parametrize("ending", ["revoked", "found", "account key replaced"])
async def test_no_key_that_is_created_with_an_ending_key_outlives_it(
    server_on_each: InProcessServer, ending: str
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    key = await issued(server, hamlet.auth, scopes=ALL, expires_in_days="null")
    child = await issued(server, key.auth, bot=bot, scopes=["read", "keys"])
    client = server.client()
    calls = [
        {
            "revoked": lambda: client.delete(f"{OWN}/{key.id}", auth=hamlet.auth),
            "found": lambda: client.post("/api/v1/api_keys/revoke_by_possession", data={"api_key": key.api_key}),
            "account key replaced": lambda: client.post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth),
        }[ending](),
        *(issue(server, key.auth, scopes=["read"]) for _ in range(3)),
        *(issue(server, key.auth, bot=bot, scopes=["read"]) for _ in range(3)),
        *(issue(server, child.auth, scopes=["read"]) for _ in range(3)),
        *(add_bot(server, key.auth, f"made{number}") for number in range(3)),
        *(client.post(f"/api/v1/bots/{bot.id}/api_key/regenerate", auth=key.auth) for _ in range(2)),
        client.post(f"{CURRENT}/regenerate", auth=child.auth, data={"overlap_seconds": "3600"}),
    ]
    random.Random(1).shuffle(calls)
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} <= {200, 400, 401}
    async with server.context.reading() as connection:
        realm_id, now = hamlet.account.realm_id, server.context.clock()
        live = await api_keys.find_all_live(connection, realm_id, now, after=0, limit=100)
    assert [(record.is_account_key, record.created_with) for record in live] == [(True, None)] * len(live)
    assert hamlet.id in {record.account_id for record in live} <= {hamlet.id, bot.id}


async def add_bot(server: InProcessServer, auth: tuple[str, str], name: str) -> httpx2.Response:
    return await server.client().post("/api/v1/bots", auth=auth, data={"full_name": name, "short_name": name})


async def test_of_several_calls_that_replace_a_key_at_once_one_succeeds_and_two_generations_live(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    key = await issued(server, hamlet.auth)
    calls = [
        server.client().post(f"{CURRENT}/regenerate", auth=key.auth, data={"overlap_seconds": "3600"}) for _ in range(6)
    ]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 5]
    assert await live_keys(server, hamlet.id) == 3
