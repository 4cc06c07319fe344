"""What every use case is given: the database, the secrets and the clock; and how it writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain import account_events
from keybearer.server.domain.account_events import AccountNews
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Actor, RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.event_log import Event, access_changed
from keybearer.server.domain.event_queues import HEARTBEAT_EVERY
from keybearer.server.domain.mails import Mail
from keybearer.server.domain.realms import Realm
from keybearer.server.services.event_hub import EventHub
from keybearer.server.settings import Settings
from keybearer.server.storage import accounts, audit, event_log, mails, realms
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
    heartbeat_every: float = HEARTBEAT_EVERY
    hub: EventHub = field(init=False)
    """Where clients of this worker wait for events."""
    webhooks_due: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set when an outgoing webhook is to be called."""

    def __post_init__(self) -> None:
        hub = EventHub(self.database, self.clock, heartbeat_every=self.heartbeat_every)
        object.__setattr__(self, "hub", hub)

    @asynccontextmanager
    async def change(self, actor: Actor | None, *, origin: RequestOrigin | None = None) -> AsyncIterator[Change]:
        """One transaction: all of it is written when the block ends, nothing if it raises."""
        async with self.database.write() as connection:
            origin = origin or (actor.origin if actor else RequestOrigin())
            change = Change(connection, self.clock(), actor, origin, ring=self.ring)
            yield change
            told = await change.write_events()
        if told:
            self.hub.look()

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
    origin: RequestOrigin
    ring: SecretRing
    events: list[Event] = field(default_factory=list)
    account_news: list[AccountNews] = field(default_factory=list)

    def by(self, actor: Actor) -> Change:
        """The same transaction, made by an account that has just come into being in it."""
        return replace(self, actor=actor)

    @property
    def actor_id(self) -> int | None:
        """The id of the acting account."""
        return None if self.actor is None else self.actor.id

    async def record(
        self,
        event: AuditEvent,
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

    def tell(self, *events: Event) -> None:
        """Let clients know of these events, once this transaction is written."""
        self.events.extend(events)

    def tell_added(self, account: Account) -> None:
        """Let clients know of a new account, once this transaction is written."""
        self.account_news.append(AccountNews(account, None))

    def tell_changed(self, account: Account, *fields: str) -> None:
        """Let clients know the new values of these fields of an account (wire names), once this is written."""
        self.account_news.append(AccountNews(account, fields))

    def end_polls_of(self, account_id: int) -> None:
        """Once this transaction is written, every open poll of the account checks again whether it may go on.

        To be called by whatever ends a key, a session or the account itself.
        """
        self.events.append(access_changed(account_id))

    async def write_events(self) -> bool:
        """Write what clients are to be told; whether there was anything. The last step: it holds up other writers."""
        if self.account_news:
            realm = await realms.find(self.connection)
            administrators = await accounts.find_administrator_ids(self.connection)
            for news in self.account_news:
                self.events.extend(
                    account_events.events_of(
                        news, administrator_ids=administrators, dummy_domain=realm.bot_domain if realm else ""
                    )
                )
        if self.events:
            await event_log.append(self.connection, self.events)
        return bool(self.events)

    async def send(self, mail: Mail | None) -> None:
        """Put a mail into the queue: it leaves only if this transaction is written. None sends nothing."""
        if mail is not None:
            await mails.add(self.connection, self.ring, mail, at=self.now)
