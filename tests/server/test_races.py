"""Many at once: on each database nothing breaks, and what is true of one after the other stays true."""

from __future__ import annotations

import asyncio
import random

import httpx2
import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.storage import accounts
from tests.in_process import InProcessServer
from tests.server.test_regeneration import live_keys

ROUNDS = 4


@pytest.mark.parametrize("seed", range(2))
async def test_changes_of_the_same_accounts_at_once_neither_break_nor_contradict(
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
