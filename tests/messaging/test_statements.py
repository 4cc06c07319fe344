"""Every list in a parameter costs as many statements as one entry. The endpoints are read from the OpenAPI
description.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from sqlalchemy import insert, select

from keybearer.server.api import routes
from keybearer.server.domain.accounts import Role
from keybearer.server.services.background import SLICE
from keybearer.server.storage.messaging.tables import channels, copies, messages, subscriptions
from keybearer.server.storage.tables import accounts
from tests.asgi import FORM_TYPE, Answer, ask, by_key, form
from tests.in_process import InProcessServer, Known, prepared, serving
from tests.statements import counting

MANY = 1000
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class World:
    """An organization with many of everything. A scene takes what it uses up from `fresh`."""

    server: InProcessServer
    who: Known
    people: list[int]
    message_ids: list[int]
    channel_ids: list[int]
    bot_id: int
    numbers: Iterator[int] = field(default_factory=count)

    def fresh(self, n: int) -> list[str]:
        """Unused names."""
        return [f"name {next(self.numbers)}" for _ in range(n)]

    async def call(self, method: str, path: str, fields: dict[str, Any]) -> Answer:
        texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in fields.items()}
        headers = {**by_key(self.who.auth), "content-type": FORM_TYPE}
        if method == "GET":
            return await ask(self.server.app, method, f"/api/v1/{path}?{urlencode(texts)}", headers)
        return await ask(self.server.app, method, f"/api/v1/{path}", headers, form(texts))


@pytest_asyncio.fixture(params=["sqlite_url", pytest.param("postgresql_url", marks=pytest.mark.soak)])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    url = request.getfixturevalue(request.param)
    settings = prepared(tmp_path / "data", database_url=url, api_limit="100000/minute")
    async with serving(settings) as server:
        who = await server.add_person("hamlet", Role.OWNER)
        realm_id = who.account.realm_id
        async with server.context.change(None) as change:
            connection = change.connection
            shared = {"realm_id": realm_id, "role": 400, "date_joined": NOON}
            rows = [
                {
                    **shared,
                    "delivery_email": f"p{n}@example.com",
                    "email_key": f"p{n}@example.com",
                    "full_name": f"P {n}",
                }
                for n in range(MANY)
            ]
            await connection.execute(insert(accounts), rows)
            named = [
                {"realm_id": realm_id, "name": f"c{n}", "name_key": f"c{n}", "created_at": NOON}
                for n in range(3 * MANY)
            ]
            await connection.execute(insert(channels), named)
            channel_ids = list((await connection.execute(select(channels.c.id).order_by(channels.c.id))).scalars())
            texts = [
                {"realm_id": realm_id, "sender_id": who.id, "channel_id": channel_ids[0], "sent_at": NOON,
                 "topic": "t", "topic_key": "t", "content": "text", "rendered": "text"}
                for _ in range(MANY)
            ]  # fmt: skip
            await connection.execute(insert(messages), texts)
            message_ids = list((await connection.execute(select(messages.c.id))).scalars())
            owned = [{"account_id": who.id, "message_id": each, "flags": 0} for each in message_ids]
            await connection.execute(insert(copies), owned)
            followed = [{"account_id": who.id, "channel_id": each, "color": "#76ce90"} for each in channel_ids]
            await connection.execute(insert(subscriptions), followed)
            people = list((await connection.execute(select(accounts.c.id).where(accounts.c.id != who.id))).scalars())
        bot = await server.add_bot(who, "hambot")
        yield World(server, who, people, message_ids, channel_ids, bot.id)


Scene = Callable[[World, int], dict[str, Any]]


def narrow(world: World, n: int) -> list[object]:
    """Terms of every kind that names something, which match one topic. 48 for many."""
    terms: list[object] = []
    for each in range(1, 2 if n == 1 else 13):
        hidden = (("channel", world.channel_ids[each]), ("sender", world.people[each]), ("dm", [world.people[each]]))
        terms += [{"operator": operator, "operand": operand, "negated": True} for operator, operand in hidden]
        terms.append(["with", world.message_ids[each]])
    return terms


def alert_words(n: int) -> list[str]:
    """One word, or as many others as an account may also have."""
    return ["word"] if n == 1 else [f"word {each}" for each in range(1, n)]


def scopes(n: int) -> list[str]:
    """This many scopes: `read` and, if several, `send`."""
    return ["read", *["send"] * (n - 1)]


def networks(n: int) -> list[str]:
    """This many networks."""
    return [f"10.{each}.0.0/16" for each in range(n)]


def of_key(parameter: str, make: Callable[[int], list[str]]) -> Scene:
    """A named key with this many of something."""
    return lambda world, n: {"name": "script", parameter: make(n)}


AROUND = {"anchor": "newest", "num_before": 1, "num_after": 0}
SCENES: dict[tuple[str, str], Scene] = {
    ("GET users", "user_ids"): lambda w, n: {"user_ids": w.people[:n]},
    **{
        (f"PATCH users/{who}", "profile_data"): lambda w, n: {"profile_data": [{"id": each} for each in w.people[:n]]}
        for who in ("{user_id}", "{email}")
    },
    ("POST invites", "invitee_emails"): lambda w, n: {
        "invitee_emails": ",".join(f"{name.replace(' ', '')}@example.org" for name in w.fresh(n))
    },
    ("POST invites", "stream_ids"): lambda w, n: {
        "invitee_emails": f"{w.fresh(1)[0].replace(' ', '')}@example.org", "stream_ids": w.channel_ids[:n]
    },
    ("POST invites", "group_ids"): lambda w, n: {"invitee_emails": "a@example.org", "group_ids": [1] * n},
    ("POST invites/multiuse", "stream_ids"): lambda w, n: {"stream_ids": w.channel_ids[:n]},
    ("POST invites/multiuse", "group_ids"): lambda w, n: {"group_ids": [1] * n},
    ("PATCH invites/multiuse/{invite_id}", "stream_ids"): lambda w, n: {"stream_ids": w.channel_ids[:n]},
    ("PATCH invites/multiuse/{invite_id}", "group_ids"): lambda w, n: {"group_ids": [1] * n},
    ("POST messages", "to"): lambda w, n: {"type": "direct", "to": w.people[-n:], "content": "text"},
    ("GET messages", "narrow"): lambda w, n: {"narrow": narrow(w, n), **AROUND},
    ("GET messages", "message_ids"): lambda w, n: {"message_ids": w.message_ids[:n]},
    ("GET messages/matches_narrow", "msg_ids"): lambda w, n: {"msg_ids": w.message_ids[:n], "narrow": []},
    ("GET messages/matches_narrow", "narrow"): lambda w, n: {"msg_ids": w.message_ids[:1], "narrow": narrow(w, n)},
    ("POST messages/flags", "messages"): lambda w, n: {
        "messages": w.message_ids[:1] if n == 1 else w.message_ids[1:], "op": "add", "flag": "starred"
    },
    ("POST messages/flags/narrow", "narrow"): lambda w, n: {
        "narrow": narrow(w, n), "anchor": w.message_ids[10 * n], "num_before": 1, "num_after": 1,
        "op": "add", "flag": "collapsed",
    },
    ("POST users/me/subscriptions", "subscriptions"): lambda w, n: {
        "subscriptions": [{"name": name} for name in w.fresh(n)]
    },
    ("POST users/me/subscriptions", "principals"): lambda w, n: {
        "subscriptions": [{"name": w.fresh(1)[0]}], "principals": w.people[:n]
    },
    ("PATCH users/me/subscriptions", "add"): lambda w, n: {"add": [{"name": name} for name in w.fresh(n)]},
    ("PATCH users/me/subscriptions", "principals"): lambda w, n: {
        "add": [{"name": w.fresh(1)[0]}], "principals": w.people[:n]
    },
    ("PATCH users/me/subscriptions", "delete"): lambda w, n: {
        "delete": [f"c{each}" for each in (range(MANY, MANY + 1) if n == 1 else range(MANY + 1, 2 * MANY))]
    },
    ("DELETE users/me/subscriptions", "subscriptions"): lambda w, n: {
        "subscriptions": [f"c{each}" for each in range(3 * MANY - n, 3 * MANY)][: max(1, n - 1)]
    },
    ("DELETE users/me/subscriptions", "principals"): lambda w, n: {
        "subscriptions": ["c1"], "principals": w.people[:n]
    },
    ("POST users/me/subscriptions/properties", "subscription_data"): lambda w, n: {
        "subscription_data": [
            {"stream_id": each, "property": "pin_to_top", "value": True} for each in w.channel_ids[:n]
        ]
    },
    ("POST register", "event_types"): lambda w, n: {"event_types": w.fresh(n), "fetch_event_types": []},
    ("POST register", "fetch_event_types"): lambda w, n: {"event_types": ["message"], "fetch_event_types": ["x"] * n},
    ("POST register", "narrow"): lambda w, n: {"fetch_event_types": [], "narrow": [["is", "unread"]] * min(n, 50)},
    ("POST channels/create", "subscribers"): lambda w, n: {"name": w.fresh(1)[0], "subscribers": w.people[:n]},
    ("POST users/me/alert_words", "alert_words"): lambda w, n: {"alert_words": alert_words(n)},
    ("DELETE users/me/alert_words", "alert_words"): lambda w, n: {"alert_words": alert_words(n)},
    ("POST typing", "to"): lambda w, n: {"op": "start", "to": w.people[:n]},
    ("PUT bot_storage", "storage"): lambda w, n: {"storage": dict.fromkeys(w.fresh(n), "text")},
    ("GET bot_storage", "keys"): lambda w, n: {"keys": []},
    ("DELETE bot_storage", "keys"): lambda w, n: {"keys": []},
    **{
        (f"{method} {holder}", parameter): of_key(parameter, make)
        for whose in ("users/me/api_keys", "bots/{bot_id}/api_keys")
        for method, holder in (("POST", whose), ("PATCH", f"{whose}/{{key_id}}"))
        for parameter, make in (("scopes", scopes), ("networks", networks))
    },
}  # fmt: skip
KEEPS_KEYS = {("GET bot_storage", "keys"), ("DELETE bot_storage", "keys")}
NEVER_TAKEN = {
    *((name, "group_ids") for name in ("POST invites", "POST invites/multiuse", "PATCH invites/multiuse/{invite_id}")),
    *((name, "profile_data") for name in ("PATCH users/{user_id}", "PATCH users/{email}")),
}


def list_parameters() -> dict[tuple[str, str], int]:
    """Every parameter that may be a list, with the most entries that it may have."""
    return {
        (endpoint.name, parameter.name): parameter.most
        for endpoint in routes.endpoints(for_development=True)
        for parameter in endpoint.takes
        if parameter.most is not None
    }


def test_every_list_of_every_endpoint_is_counted_here() -> None:
    assert SCENES.keys() == list_parameters().keys()


async def test_every_list_costs_as_many_statements_as_one_entry(world: World) -> None:
    costs: dict[tuple[str, str], list[int]] = {}
    for (name, parameter), most in list_parameters().items():
        method, _, path = name.partition(" ")
        if "{invite_id}" in path:  # the scenes of POST have already created some
            rows = json.loads((await world.call("GET", "invites", {})).body)["invites"]
            path = path.replace("{invite_id}", str(next(row["id"] for row in rows if row["is_multiuse"])))
        path = path.replace("{user_id}", str(world.people[0])).replace("{email}", world.who.account.delivery_email)
        path = path.replace("{bot_id}", str(world.bot_id))
        holder = path.partition("/{key_id}")[0]
        for n in (1, min(most, MANY)):
            fields = SCENES[name, parameter](world, n)
            if holder != path:
                made = await world.call("POST", holder, {"name": "script", "scopes": ["read", "send", "manage"]})
                path = f"{holder}/{json.loads(made.body)['id']}"
            if (name, parameter) in KEEPS_KEYS:
                fields["keys"] = keys = world.fresh(n)
                assert (await world.call("PUT", path, {"storage": dict.fromkeys(keys, "text")})).status == 200
            with counting() as statements:
                answer = await world.call(method, path, fields)
            wanted = 400 if (name, parameter) in NEVER_TAKEN else 200
            assert answer.status == wanted, (name, parameter, n, answer.text[:300])
            costs.setdefault((name, parameter), []).append(len(statements))
    # PostgreSQL writes one event together with its number, and several with one statement more.
    more = 1 if world.server.context.database.dialect_name == "postgresql" else 0
    assert {each: cost for each, cost in costs.items() if not 0 <= cost[1] - cost[0] <= more} == {}
    assert all(cost[0] for each, cost in costs.items() if each not in NEVER_TAKEN)


async def test_moving_a_whole_topic_costs_as_many_statements_as_one_message(world: World) -> None:
    costs = []
    for mode in ("change_one", "change_all"):
        fields = {"topic": f"new {mode}", "propagate_mode": mode, "stream_id": world.channel_ids[1]}
        message_id = world.message_ids[0 if mode == "change_one" else 1]
        with counting() as statements:
            answer = await world.call("PATCH", f"messages/{message_id}", fields)
        assert answer.status == 200, answer.text
        costs.append(len(statements))
    # The topic is looked up and locked, the policies that people chose for it are moved, and who else has copies is
    # found in slices.
    assert costs[1] <= costs[0] + 3 + MANY // SLICE
    moved = json.loads((await world.call("GET", "messages", {"message_ids": world.message_ids[1:]})).body)["messages"]
    assert {(each["subject"], each["stream_id"]) for each in moved} == {("new change_all", world.channel_ids[1])}
    (edit,) = moved[-1]["edit_history"]
    assert (edit["prev_topic"], edit["prev_stream"], edit["user_id"]) == ("t", world.channel_ids[0], world.who.id)


async def test_deactivating_a_person_with_many_bots_costs_as_many_statements_as_with_one(world: World) -> None:
    costs = []
    for owner, n in ((world.people[0], 1), (world.people[1], 500)):
        bots = [
            {"realm_id": world.who.account.realm_id, "role": 400, "date_joined": NOON, "bot_type": 1,
             "bot_owner_id": owner, "delivery_email": f"b{owner}-{each}@x", "email_key": f"b{owner}-{each}@x",
             "full_name": f"B {owner} {each}"}
            for each in range(n)
        ]  # fmt: skip
        async with world.server.context.change(None) as change:
            await change.connection.execute(insert(accounts), bots)
        with counting() as statements:
            assert (await world.call("DELETE", f"users/{owner}", {})).status == 200
        costs.append(len(statements))
        async with world.server.context.reading() as connection:
            active = select(accounts.c.id).where(accounts.c.bot_owner_id == owner, accounts.c.is_active)
            assert not (await connection.execute(active)).all()
    assert costs[0] == costs[1]


async def test_messages_to_hundreds_of_people_are_in_the_initial_state(world: World) -> None:
    costs = []
    for number in (1, 2, MANY - 100):
        sent = await world.call("POST", "messages", {"type": "direct", "to": world.people[:number], "content": "hello"})
        assert sent.status == 200, sent.message
        with counting() as statements:
            registered = await world.call("POST", "register", {"event_types": ["message", "update_message_flags"]})
        assert registered.status == 200, registered.message
        costs.append(len(statements))
    assert costs == [costs[0]] * 3
