"""What every use case needs: the database, the secrets, the clock, and how to write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.errors import StorageError
from keybearer.server.domain.actors import Actor, Caller, RequestOrigin
from keybearer.server.domain.event_queues import HEARTBEAT_EVERY
from keybearer.server.domain.fair_turns import Whose
from keybearer.server.domain.forms import AlreadySent
from keybearer.server.domain.limits import (
    LONG_ANSWERS,
    MOST_LONG_WORK,
    MOST_LONG_WORK_OF_ONE,
    SEARCH_TAKES,
    SEARCHES,
)
from keybearer.server.domain.once_every import OnceEvery
from keybearer.server.metrics import NO_METRICS, Metrics
from keybearer.server.services.authority import read_actor
from keybearer.server.services.change import Change
from keybearer.server.services.event_hub import EventHub
from keybearer.server.services.hashing import Hasher
from keybearer.server.services.long_work import LongWork
from keybearer.server.services.turns import Turns
from keybearer.server.settings import Settings
from keybearer.server.storage import authority, sent_forms
from keybearer.server.storage.current_realm import CurrentRealm
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing

UNSENT_LOGGED_EVERY = timedelta(hours=1)
"""How often one worker logs that mails to one recipient are not sent."""

MOST_TRIES = 8
"""How often a transaction is restarted because bots changed owners while their rows were being locked."""


def utc_now() -> datetime:
    """The current time, with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """The parts that use cases work with, created once by the composition root."""

    settings: Settings
    database: Database
    ring: SecretRing
    clock: Callable[[], datetime] = utc_now
    heartbeat_every: float = HEARTBEAT_EVERY
    metrics: Metrics = NO_METRICS
    hub: EventHub = field(init=False)
    """Where clients of this worker wait for events."""
    realm: CurrentRealm = field(init=False)
    """Finds the organization."""
    hasher: Hasher = field(default_factory=Hasher, init=False)
    """Hashes the passwords in this worker."""
    webhooks_due: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set when an outgoing webhook is to be called."""
    unsent_mails: OnceEvery[str] = field(init=False)
    """Says whether to log that a mail to a recipient is not sent."""
    long_work: LongWork = field(default_factory=LongWork, init=False)
    """Does work that would hold up the event loop of this worker."""
    searches: Turns = field(init=False)
    """Lets one search or long page of messages of each person and their bots read the database at a time, and only a
    few of all people.
    """
    long_answers: Turns = field(init=False)
    """Lets one answer of each person and their bots be built at a time, where it may have tens of megabytes."""

    def __post_init__(self) -> None:
        hub = EventHub(self.database, self.ring, self.clock, heartbeat_every=self.heartbeat_every)
        object.__setattr__(self, "hub", hub)
        object.__setattr__(self, "unsent_mails", OnceEvery(UNSENT_LOGGED_EVERY, self.clock))
        object.__setattr__(self, "realm", CurrentRealm(self.database))
        turns = partial(Turns, most=MOST_LONG_WORK, most_of_one=MOST_LONG_WORK_OF_ONE)
        object.__setattr__(self, "searches", turns(at_once=SEARCHES, seconds=SEARCH_TAKES))
        object.__setattr__(self, "long_answers", turns(at_once=LONG_ANSWERS))

    @asynccontextmanager
    async def change(
        self,
        caller: Caller | None,
        *,
        origin: RequestOrigin | None = None,
        holding: Collection[int] = (),
        for_change: bool = False,
        with_bots_of: int | None = None,
        ending_keys_of: int | None = None,
        with_keys_made_by: int | None = None,
    ) -> AsyncIterator[Change]:
        """One transaction: everything is written when the block ends, nothing if it raises.

        It reads the caller's account, and the key or session that was used, after locking their rows, and checks their
        rule again: a right that ended before the transaction began is worth nothing. In that case it raises
        Unauthenticated or NotPermitted. It raises AlreadySent if the caller's form was already carried out. None is the
        server itself or its operator, who may do everything.

        `holding` are the accounts that the block is about. Their rows are locked together with the caller's, before
        anything is read. `for_change` means that an account, its keys or its sessions are changed; then every such
        account must be in `holding`, or be the caller. `with_bots_of` names an account whose bots are locked too.
        `ending_keys_of` names an account whose keys may end; the keys created with those end too, and so their accounts
        are locked as well. `with_keys_made_by` names an account whose right to manage others' bots may end; the named
        keys that it created for them may end too, and so their holders are locked.
        """
        origin = origin or (caller.origin if caller else RequestOrigin())
        wanted = set(holding)
        whose: Whose = origin.network or None
        if caller is not None:
            whose = caller.account.person_id
            wanted |= {caller.id, caller.account.person_id}
        for _ in range(MOST_TRIES):
            async with self.database.write(whose) as connection:
                if wanted:
                    needed = await authority.hold(
                        connection,
                        wanted,
                        for_change=for_change,
                        with_bots_of=with_bots_of,
                        ending_keys_of=ending_keys_of,
                        with_keys_made_by=with_keys_made_by,
                    )
                    if not needed <= wanted:
                        wanted = needed
                        continue
                now = self.clock()
                actor = None if caller is None else await read_actor(connection, caller, now)
                if caller is not None and caller.form is not None:
                    await _use_up(connection, caller.form, now)
                change = Change(connection, now, actor, origin, self.ring, self.unsent_mails)
                yield change
                has_events = await change.write_events()
            if has_events:
                self.hub.look()
            return
        raise StorageError("Bots changed owners faster than they could be locked", hint="Try again in a moment.")

    @asynccontextmanager
    async def reading(self, origin: RequestOrigin | None = None) -> AsyncIterator[AsyncConnection]:
        """A consistent snapshot of the database, for the server itself. `origin` is where the request is from that
        makes it look: then it waits with the others of that network, and nothing of the server's own waits behind them.
        """
        async with self.database.read((origin.network or None) if origin else None) as connection:
            yield connection

    @asynccontextmanager
    async def viewing(self, caller: Caller) -> AsyncIterator[View]:
        """A consistent snapshot of the database for a caller, who is read in it and whose rule is checked again.

        Raises Unauthenticated or NotPermitted if their right has ended.
        """
        async with self.database.read(caller.account.person_id) as connection:
            now = self.clock()
            yield View(connection, now, await read_actor(connection, caller, now))


async def _use_up(connection: AsyncConnection, form: bytes, now: datetime) -> None:
    if not await sent_forms.add(connection, form, now):
        raise AlreadySent


@dataclass(frozen=True, slots=True)
class View:
    """A consistent snapshot of the database, the moment at which it is taken, and who looks."""

    connection: AsyncConnection
    now: datetime
    actor: Actor
