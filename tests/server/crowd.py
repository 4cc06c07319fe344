"""An organization in which there are many of everything that pages list. Its rows are inserted in bulk."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account, EmailVisibility, Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.domain.named_keys import NewKey
from keybearer.server.services import named_keys
from keybearer.server.services.context import Context
from keybearer.server.storage.messaging.tables import (
    channels,
    conversation_members,
    conversations,
    messages,
    subscriptions,
)
from keybearer.server.storage.tables import accounts, api_key_uses, api_keys, links
from tests.asgi import FORM_TYPE, Answer, Headers, ask, by_session, form
from tests.in_process import InProcessServer, Known
from tests.server.questions import fill

BOTS_OF_ONE = 1000
"""As many as an account may own."""

FORMS = {
    "/messages/new/": {"to_named": "0", "content": "hello"},
    "/settings/bots/{bot_id}/": {"new_owner": "person", "full_name": "Robot"},
    "/settings/bots/botserverrc/": {},
}
"""Forms that are shown again, because they do not say enough."""

Rows = Sequence[Mapping[str, Any]]


async def add_crowd(context: Context, owner: Account, parent_key_id: int, count: int) -> None:
    """Add this many people, bots of theirs, keys, invitations, channels, conversations with the owner, keys that end
    with another key, and bots of the owner as far as they are allowed.

    Every third person hides their address from everybody; every fifth is deactivated.
    """
    async with context.change(None) as change:
        add = _Adding(change.connection, owner, count, await _next_id(change.connection, accounts))
        await add.accounts(change.now)
        await add.keys(change.now, parent_key_id)
        await add.invitations(change.now)
        await add.channels(change.now)
        await add.conversations(change.now)


async def _next_id(connection: AsyncConnection, table: Table) -> int:
    (column,) = table.primary_key.columns
    largest: int | None = (await connection.execute(select(func.max(column)))).scalar_one()
    return (largest or 0) + 1


class _Adding:
    """The rows of one crowd. Its people come first, then their bots."""

    def __init__(self, connection: AsyncConnection, owner: Account, count: int, first_id: int) -> None:
        self.connection = connection
        self.owner = owner
        self.count = count
        self.first_id = first_id

    def _numbers(self) -> Iterator[int]:
        return iter(range(self.first_id, self.first_id + self.count))

    async def _insert(self, table: Table, rows: Rows) -> Sequence[int]:
        (key, *_) = table.primary_key.columns
        await self.connection.execute(insert(table), rows)
        found = await self.connection.execute(select(key).order_by(key.desc()).limit(len(rows)))
        return sorted(found.scalars())

    async def accounts(self, now: datetime) -> None:
        """The people, and the bots of the owner and of the others."""
        shared = {"realm_id": self.owner.realm_id, "bot_type": None, "bot_owner_id": None, "email_visibility": 1}
        people = [
            {
                **shared,
                "delivery_email": f"p{n}@crowd.example",
                "email_key": f"p{n}@crowd.example",
                "full_name": f"Žofie Person {n:05}",
                "role": (Role.MEMBER, Role.GUEST, Role.MODERATOR)[n % 3].value,
                "date_joined": now - timedelta(minutes=n % 7),
                "is_active": bool(n % 5),
                "email_visibility": (EmailVisibility.EVERYONE if n % 3 else EmailVisibility.NOBODY).value,
            }
            for n in self._numbers()
        ]
        self.people = await self._insert(accounts, people)
        owned = select(func.count()).where(accounts.c.bot_owner_id == self.owner.id)
        room = BOTS_OF_ONE - (await self.connection.execute(owned)).scalar_one()
        owners = [*[self.owner.id] * min(room, self.count), *self.people[: self.count // 5]]
        bots = [
            {
                **shared,
                "delivery_email": f"b{n}@crowd.example",
                "email_key": f"b{n}@crowd.example",
                "full_name": f"Robot {n:05}",
                "role": Role.MEMBER.value,
                "date_joined": now,
                "is_active": True,
                "bot_type": (BotType.GENERIC, BotType.INCOMING_WEBHOOK)[n % 2].value,
                "bot_owner_id": owner_id,
            }
            for n, owner_id in enumerate(owners, self.first_id)
        ]
        self.bots = await self._insert(accounts, bots) if bots else ()

    async def keys(self, now: datetime, parent_key_id: int) -> None:
        """An account key for everybody, and named keys of people that end with the parent key."""
        parent = select(api_keys.c.secret_id).where(api_keys.c.id == parent_key_id)
        secret_id = (await self.connection.execute(parent)).scalar_one()
        shared = {"created_at": now, "secret_id": secret_id, "name": "", "is_account_key": True, "created_with": None}
        own = [{**shared, "account_id": each, "digest": _digest("own", each)} for each in (*self.people, *self.bots)]
        named = {"name": "descendant", "is_account_key": False, "created_with": parent_key_id}
        made = [{**shared, **named, "account_id": each, "digest": _digest("made", each)} for each in self.people]
        ids = await self._insert(api_keys, [*own, *made])
        uses = [{"key_id": each, "last_used_at": now - timedelta(hours=each % 9) if each % 2 else None} for each in ids]
        await self.connection.execute(insert(api_key_uses), uses)

    async def invitations(self, now: datetime) -> None:
        """Invitations by the people and by the owner."""
        rows = [
            {
                "digest": _digest("link", n),
                "purpose": LinkPurpose.INVITATION.value,
                "realm_id": self.owner.realm_id,
                "email": f"invited{n}@crowd.example",
                "role": Role.MEMBER.value,
                "created_by": self.owner.id if n % 2 else self.people[0],
                "created_at": now,
                "expires_at": now + timedelta(days=9),
            }
            for n in self._numbers()
        ]
        await self._insert(links, rows)

    async def channels(self, now: datetime) -> None:
        """Public channels. The owner follows half of them."""
        names = [f"channel {n:05}" for n in self._numbers()]
        shared = {"realm_id": self.owner.realm_id, "created_at": now}
        ids = await self._insert(channels, [{**shared, "name": name, "name_key": name} for name in names])
        followed = [{"account_id": self.owner.id, "channel_id": each, "color": "#76ce90"} for each in ids[::2]]
        await self.connection.execute(insert(subscriptions), followed)

    async def conversations(self, now: datetime) -> None:
        """A direct message of each person to the owner."""
        keys = [f"{self.owner.id},{each}" for each in self.people]
        ids = await self._insert(conversations, [{"members_key": key} for key in keys])
        members = [
            {"conversation_id": each, "account_id": account_id}
            for each, person in zip(ids, self.people, strict=True)
            for account_id in (self.owner.id, person)
        ]
        await self.connection.execute(insert(conversation_members), members)
        shared = {"realm_id": self.owner.realm_id, "content": "hello", "rendered": "<p>hello</p>", "sent_at": now}
        said = [
            {**shared, "sender_id": person, "conversation_id": each}
            for each, person in zip(ids, self.people, strict=True)
        ]
        await self.connection.execute(insert(messages), said)


def _digest(kind: str, number: int) -> bytes:
    return hashlib.sha256(f"{kind} {number}".encode()).digest()


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
