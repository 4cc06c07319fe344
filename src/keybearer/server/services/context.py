"""What every use case is given: the database, the secrets and the clock; and how it writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Actor, Origin
from keybearer.server.domain.audit import Event
from keybearer.server.domain.mails import Mail
from keybearer.server.domain.realms import Realm
from keybearer.server.settings import Settings
from keybearer.server.storage import audit, mails
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """The parts that use cases work with, made once by the composition root."""

    settings: Settings
    database: Database
    ring: SecretRing
    clock: Callable[[], datetime] = utc_now

    @asynccontextmanager
    async def change(self, actor: Actor | None, *, origin: Origin | None = None) -> AsyncIterator[Change]:
        """One transaction: all of it is written when the block ends, nothing if it raises."""
        async with self.database.write() as connection:
            yield Change(connection, self.clock(), actor, origin or (actor.origin if actor else Origin()))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One consistent look at the database."""
        async with self.database.read() as connection:
            yield connection


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction that is under way, the moment it happens at, and who makes it (None: the server itself)."""

    connection: AsyncConnection
    now: datetime
    actor: Actor | None
    origin: Origin = field(default_factory=Origin)

    def by(self, actor: Actor) -> Change:
        """The same transaction, made by an account that has just come into being in it."""
        return replace(self, actor=actor)

    @property
    def actor_id(self) -> int | None:
        """The id of the acting account."""
        return None if self.actor is None else self.actor.id

    async def record(
        self,
        event: Event,
        subject: Account | None = None,
        *,
        realm: Realm | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Write an audit event into this transaction."""
        account = subject or (self.actor.account if self.actor else None)
        await audit.add(
            self.connection,
            event,
            realm_id=account.realm_id if account else (realm.id if realm else None),
            at=self.now,
            actor_id=self.actor_id,
            subject_id=subject.id if subject else None,
            origin=self.origin,
            details=details or {},
        )

    async def send(self, mail: Mail | None) -> None:
        """Put a mail into the queue: it leaves only if this transaction is written. None sends nothing."""
        if mail is not None:
            await mails.add(self.connection, mail, at=self.now)
