"""Nothing that anybody is shown contains an address, a name or a text that visibility denies them, whatever happens."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from sqlalchemy import select

from keybearer.server.api import routes
from keybearer.server.domain.accounts import Account, EmailVisibility, Role
from keybearer.server.storage import accounts
from keybearer.server.storage.messaging.tables import channels, copies, messages, subscriptions
from tests.databases import DIALECTS
from tests.in_process import InProcessServer, Known, prepared, serving

STEPS = 12
ROLES = (Role.ADMINISTRATOR, Role.MODERATOR, Role.MEMBER, Role.GUEST)
LEAST = {
    EmailVisibility.EVERYONE: Role.GUEST,
    EmailVisibility.MEMBERS: Role.MEMBER,
    EmailVisibility.MODERATORS: Role.MODERATOR,
    EmailVisibility.ADMINISTRATORS: Role.ADMINISTRATOR,
}


@dataclass
class Text:
    """A text of a message, and the channel that the message was in when another text replaced it."""

    words: str
    replaced_in: int | None = None


@dataclass
class Watcher:
    """Somebody who looks everywhere, with queues that are read again and again."""

    known: Known
    client: httpx2.AsyncClient
    queues: dict[str, int] = field(default_factory=dict)


@dataclass
class World:
    """An organization with random actions, in which everything that is said is a unique word."""

    server: InProcessServer
    chance: random.Random
    owner: Watcher
    watchers: list[Watcher] = field(default_factory=list)
    channel_ids: list[int] = field(default_factory=list)
    message_ids: list[int] = field(default_factory=list)
    texts: dict[int, list[Text]] = field(default_factory=dict)
    words: Iterator[str] = field(default_factory=lambda: (f"word{number}x" for number in range(1, 10**6)))


async def call(who: Watcher, method: str, path: str, **parameters: Any) -> dict[str, Any]:
    """One call. A refusal is an answer as well."""
    fields = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in parameters.items()
    }
    where = {"params": fields} if method in ("GET", "DELETE") else {"data": fields}
    response = await who.client.request(method, f"/api/v1/{path}", auth=who.known.auth, **where)  # type: ignore[arg-type]
    assert response.headers["content-type"] == "application/json", (method, path, response.text)
    answer: dict[str, Any] = response.json()
    return answer


async def world_of(server: InProcessServer, seed: int) -> World:
    owner = Watcher(await server.add_person("owner", Role.OWNER), server.client())
    world = World(server, random.Random(seed), owner)
    for role in ROLES:
        known = await server.add_person(f"{role.label}-{next(world.words)}", role)
        world.watchers.append(Watcher(known, server.client()))
    bot = await server.add_bot(world.watchers[2].known, "mole")
    world.watchers.append(Watcher(bot, server.client()))
    for is_private in (True, False, True, False):
        name = next(world.words)
        people = [owner.known.id, world.chance.choice(world.watchers).known.id]
        new = {"subscriptions": [{"name": name}], "principals": people, "invite_only": is_private}
        await call(owner, "POST", "users/me/subscriptions", **new)
        world.channel_ids.append((await call(owner, "GET", "get_stream_id", stream=name))["stream_id"])
    for watcher in world.watchers:
        for everything in (True, False):
            opened = await call(watcher, "POST", "register", all_public_streams=everything)
            watcher.queues[opened["queue_id"]] = opened["last_event_id"]
    return world


# Actions


async def send(world: World) -> None:
    sender, words = world.chance.choice([world.owner, *world.watchers]), next(world.words)
    if world.chance.random() < 0.2:
        to: dict[str, Any] = {"type": "direct", "to": [world.chance.choice(world.watchers).known.id]}
    else:
        to = {"type": "stream", "to": world.chance.choice(world.channel_ids), "topic": next(world.words)}
    answer = await call(sender, "POST", "messages", content=words, **to)
    if "id" in answer:
        world.message_ids.append(answer["id"])
        world.texts[answer["id"]] = [Text(words)]


async def edit(world: World) -> None:
    if not world.message_ids:
        return
    message_id, words = world.chance.choice(world.message_ids), next(world.words)
    for author in (world.owner, *world.watchers):
        answer = await call(author, "PATCH", f"messages/{message_id}", content=words)
        if answer["result"] == "success":
            place = (await call(author, "GET", f"messages/{message_id}"))["message"].get("stream_id")
            world.texts[message_id][-1].replaced_in = place
            world.texts[message_id].append(Text(words))


async def move(world: World) -> None:
    if not world.message_ids:
        return
    message_id = world.chance.choice(world.message_ids)
    await call(world.owner, "PATCH", f"messages/{message_id}", stream_id=world.chance.choice(world.channel_ids))


async def change_role(world: World) -> None:
    person = world.chance.choice(world.watchers).known
    await call(world.owner, "PATCH", f"users/{person.id}", role=world.chance.choice(ROLES).value)


async def choose_address(world: World) -> None:
    person = world.chance.choice(world.watchers)
    chosen = world.chance.choice(list(EmailVisibility))
    await call(person, "PATCH", "settings", email_address_visibility=chosen.value)


async def follow_or_leave(world: World) -> None:
    person, channel_id = world.chance.choice(world.watchers).known, world.chance.choice(world.channel_ids)
    name = (await call(world.owner, "GET", f"streams/{channel_id}"))["stream"]["name"]
    if world.chance.random() < 0.5:
        added = {"subscriptions": [{"name": name}], "principals": [person.id]}
        await call(world.owner, "POST", "users/me/subscriptions", **added)
    else:
        await call(world.owner, "DELETE", "users/me/subscriptions", subscriptions=[name], principals=[person.id])


async def change_channel(world: World) -> None:
    channel_id = world.chance.choice(world.channel_ids)
    is_private = world.chance.random() < 0.5
    await call(world.owner, "PATCH", f"streams/{channel_id}", is_private=is_private, new_name=next(world.words))


async def make_itself_heard(world: World) -> None:
    who, channel_id = world.chance.choice(world.watchers), world.chance.choice(world.channel_ids)
    await call(who, "POST", "users/me/presence", status="active")
    await call(who, "POST", "typing", op="start", type="stream", stream_id=channel_id, topic="t")
    await call(who, "POST", "typing", op="start", to=[each.known.id for each in world.watchers])
    if world.message_ids:
        message_id = world.chance.choice(world.message_ids)
        await call(who, "POST", f"messages/{message_id}/reactions", emoji_name="tada")
        await call(who, "POST", "messages/flags", messages=[message_id], op="add", flag="starred")


HAPPENINGS = (send, send, send, edit, move, change_role, choose_address, follow_or_leave, follow_or_leave,
              change_channel, make_itself_heard)  # fmt: skip


# What is denied, with the rules in other words than the program's


async def denied(world: World, viewer: Watcher) -> set[str]:
    """The words and addresses that the viewer currently may not be shown."""
    async with world.server.context.reading() as connection:
        people = await accounts.find_all(connection, viewer.known.account.realm_id)
        every_channel = (await connection.execute(select(channels))).all()
        followed = (await connection.execute(select(subscriptions))).all()
        every_message = (await connection.execute(select(messages))).all()
        had = (await connection.execute(select(copies))).all()
    by_id = {each.id: each for each in people}
    me = by_id[viewer.known.id]
    role = max(me.granted_role, by_id[me.bot_owner_id].granted_role) if me.bot_owner_id else me.granted_role
    mine = {row.channel_id for row in followed if row.account_id == me.id}
    seen = {row.id for row in every_channel if row.id in mine or (not row.is_private and role <= Role.MEMBER)}
    copied = {row.message_id for row in had if row.account_id == me.id}
    words = {each.delivery_email for each in people if not sees_address(me, role, each)}
    words |= {row.name for row in every_channel if row.id not in seen}
    for row in every_message:
        is_seen = row.id in copied if row.channel_id is None else row.channel_id in seen
        if row.topic and not is_seen:
            words.add(row.topic)
        words |= {
            text.words
            for text in world.texts[row.id]
            if not is_seen or (text.replaced_in is not None and text.replaced_in not in seen)
        }
    return words


def sees_address(me: Account, role: Role, other: Account) -> bool:
    return me.id == other.id or role <= LEAST.get(other.email_visibility, Role.OWNER - 1)


# Checks everywhere


def lookups(world: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every GET, about all accounts and everything else."""
    ids: dict[str, list[Any]] = {
        "user_id": [each.known.id for each in world.watchers],
        "user": [each.known.id for each in world.watchers],
        "bot_id": [each.known.id for each in world.watchers],
        "stream_id": world.channel_ids,
        "message_id": world.message_ids,
        "email": [f"user{each.known.id}@keybearer.localhost" for each in world.watchers],
    }
    parameters: dict[str, dict[str, Any]] = {
        "messages": {"anchor": "oldest", "num_before": 0, "num_after": 500},
        "messages/matches_narrow": {"msg_ids": world.message_ids, "narrow": [["search", "word"]]},
        "users/me/subscriptions": {"include_subscribers": True},
        "streams": {"include_all": True, "exclude_archived": False},
    }
    for endpoint in routes.endpoints(for_development=True):
        method, path = endpoint.method, endpoint.path
        if (
            method != "GET"
            or path in ("events", "openapi.json", "get_stream_id", "dev_list_users")
            or "user_uploads" in path
        ):
            continue
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        if not names:
            yield method, path, parameters.get(path, {})
        elif names[0] in ids:
            for number, value in enumerate(ids[names[0]]):
                rest = {name: str(ids[name][number % len(ids[name])]) for name in names[1:] if ids[name]}
                yield method, path.format(**{names[0]: value}, **rest), {}
    for channel_id in world.channel_ids:
        narrow = [["channel", channel_id]]
        yield "GET", "messages", {"anchor": "oldest", "num_before": 0, "num_after": 500, "narrow": narrow}


def attempts(world: World, person_id: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Changes of everything. Most are refused, and a change that is not refused changes nothing for others."""
    yield "POST", "messages", {"type": "direct", "to": [person_id], "content": ""}
    for channel_id in world.channel_ids:
        yield "POST", "messages", {"type": "stream", "to": channel_id, "topic": "t", "content": ""}
        yield "PATCH", f"streams/{channel_id}", {"stream_post_policy": 77}
        yield "POST", "typing", {"op": "stop", "type": "stream", "stream_id": channel_id, "topic": "t"}
        yield "POST", "mark_stream_as_read", {"stream_id": channel_id}
    for message_id in world.message_ids:
        yield "PATCH", f"messages/{message_id}", {"stream_id": 0}
        yield "DELETE", f"messages/{message_id}/reactions", {"emoji_name": "tada"}
        yield "POST", "messages/flags", {"messages": [message_id], "op": "remove", "flag": "collapsed"}


def check(what: object, shown: object, words: set[str]) -> None:
    text = str(shown)
    assert [word for word in words if word in text] == [], f"{what}: {shown}"


async def check_events(world: World) -> None:
    for watcher in world.watchers:
        words = await denied(world, watcher)
        for queue_id, last in watcher.queues.items():
            answer = await call(watcher, "GET", "events", queue_id=queue_id, last_event_id=last, dont_block=True)
            for each in answer["events"]:
                # These two events name what the account saw until then, and no longer sees.
                if each["type"] != "delete_message" and (each["type"], each.get("op")) != ("subscription", "remove"):
                    check(each["type"], each, words)
            if answer["events"] and world.chance.random() < 0.3:
                watcher.queues[queue_id] = answer["events"][-1]["id"]


async def check_answers(world: World) -> None:
    for watcher in world.watchers:
        words = await denied(world, watcher)
        check("register", await call(watcher, "POST", "register", include_subscribers=True), words)
        for method, path, parameters in (*lookups(world), *attempts(world, world.owner.known.id)):
            check((method, path), await call(watcher, method, path, **parameters), words)


@pytest.mark.parametrize(
    ("database_url", "seed"),
    [
        pytest.param(dialect, seed, marks=() if (dialect, seed) == ("postgresql", 0) else pytest.mark.soak)
        for dialect in DIALECTS
        for seed in range(5)
    ],
    indirect=["database_url"],
)
async def test_nothing_shown_contains_what_visibility_denies(tmp_path: Path, database_url: str, seed: int) -> None:
    settings = prepared(tmp_path / "data", database_url=database_url, api_limit="1000000/minute")
    async with serving(settings) as server:
        world = await world_of(server, seed)
        for _ in range(STEPS):
            await world.chance.choice(HAPPENINGS)(world)
            await check_events(world)
        await check_answers(world)
        assert world.message_ids
