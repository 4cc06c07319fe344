"""An installation with many accounts, each with a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.load import Credential
from keybearer import api_key
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.event_queues import Queue, QueueOptions
from keybearer.server.domain.messaging.channels import COLORS, Channel
from keybearer.server.services import server_data
from keybearer.server.services.hashing import Hasher
from keybearer.server.settings import Settings
from keybearer.server.storage import event_log, realms
from keybearer.server.storage.api_keys import bound_to
from keybearer.server.storage.messaging import channels
from keybearer.server.storage.messaging.tables import subscriptions
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.tables import accounts, api_key_uses, api_keys

SITE = "http://127.0.0.1"
PASSWORD = "correct horse battery staple"  # noqa: S105  of accounts that last for a minute
CHANNEL = "benchmark"
_SLICE = 10_000


@dataclass(frozen=True)
class Population:
    """The accounts, numbered from 1, and their named keys. The first `followers` are subscribed to the channel.

    With `queues`, each account has an event queue for messages: `queue_id` of its number.
    """

    accounts: int
    named_keys: int = 0
    followers: int = 0
    queues: bool = False


async def populate(settings: Settings, wanted: Population) -> list[Credential]:
    """Set up an empty installation. Returns a credential for each key, ordered by account."""
    await server_data.prepare(settings)
    now = datetime.now(UTC)
    stored = await password_hash()
    credentials: list[Credential] = []
    async with server_data.opened(settings) as context, context.database.write() as connection:
        realm = await realms.add(connection, name="Benchmark", site=SITE, created_at=now)
        for first in range(1, wanted.accounts + 1, _SLICE):
            numbers = range(first, min(first + _SLICE, wanted.accounts + 1))
            rows = [_account(number, realm.id, stored, now) for number in numbers]
            await connection.execute(insert(accounts), rows)
            credentials += await _add_keys(connection, context.ring, numbers, wanted.named_keys, now)
        await connection.execute(insert(api_key_uses).from_select(["key_id"], select(api_keys.c.id)))
        (channel,) = await channels.add(connection, [Channel(0, realm.id, CHANNEL, now)])
        followers = [
            {"account_id": number, "channel_id": channel.id, "color": COLORS[0]}
            for number in range(1, wanted.followers + 1)
        ]
        if followers:
            await connection.execute(insert(subscriptions), followers)
        if wanted.queues:
            await _add_queues(connection, wanted.accounts, now)
    return credentials


def queue_id(number: int) -> str:
    """The id of an account's queue."""
    return str(UUID(int=number))


async def _add_queues(connection: AsyncConnection, count: int, now: datetime) -> None:
    """Add queues that start now. Registering them one after another would take minutes."""
    last, options = await event_log.last_id(connection), QueueOptions(event_types=("message",))
    for number in range(1, count + 1):
        queue = Queue(queue_id(number), number, last, last, now, timedelta(hours=1), options)
        await event_log.add_queue(connection, queue)


async def password_hash() -> str:
    """The hashed password of every account."""
    return await Hasher().hash(Secret(PASSWORD))


def _email(number: int) -> str:
    return f"member{number}@example.com"


def _account(number: int, realm_id: int, stored: str, now: datetime) -> dict[str, object]:
    return {
        "id": number,
        "realm_id": realm_id,
        "delivery_email": _email(number),
        "email_key": _email(number),
        "full_name": f"Member {number}",
        "role": Role.MEMBER.value,
        "password_hash": stored,
        "date_joined": now,
    }


async def _add_keys(
    connection: AsyncConnection, ring: SecretRing, numbers: Sequence[int], named: int, now: datetime
) -> list[Credential]:
    credentials, sealed, digested = [], [], []
    for number in numbers:
        for position in range(1 + named):
            key = api_key.generate()
            digest = ring.digest(key)
            values = {"account_id": number, "created_at": now, "digest": digest.value}
            if position == 0:
                box = ring.seal(key, bound_to(number, digest.value))
                sealed.append({**values, "secret_id": box.secret_id, "sealed": box.box})
            else:
                of_named = {"name": f"Key {position}", "is_account_key": False, "secret_id": digest.secret_id}
                digested.append({**values, **of_named})
            credentials.append(Credential(_email(number), key.reveal()))
    await connection.execute(insert(api_keys), sealed)
    if digested:
        await connection.execute(insert(api_keys), digested)
    return credentials
