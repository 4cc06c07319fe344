"""What every use case needs: the database, the secrets, the clock, and how to write."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.errors import StorageError
from keybearer.server.domain import account_events
from keybearer.server.domain.account_events import AccountNews
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.actors import Actor, Caller, RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import check_cap
from keybearer.server.domain.event_log import Event, access_changed
from keybearer.server.domain.event_queues import HEARTBEAT_EVERY
from keybearer.server.domain.fair_turns import Whose
from keybearer.server.domain.forms import AlreadySent
from keybearer.server.domain.grants import Grant
from keybearer.server.domain.limits import (
    LONG_ANSWERS,
    MOST_LONG_WORK,
    MOST_LONG_WORK_OF_ONE,
    SEARCH_TAKES,
    SEARCHES,
    Cap,
)
from keybearer.server.domain.mails import Mail
from keybearer.server.domain.once_every import OnceEvery
from keybearer.server.domain.realms import Realm
from keybearer.server.metrics import NO_METRICS, Metrics
from keybearer.server.services.authority import read_actor
from keybearer.server.services.event_hub import EventHub
from keybearer.server.services.hashing import Hasher
from keybearer.server.services.long_work import LongWork
from keybearer.server.services.turns import Turns
from keybearer.server.settings import Settings
from keybearer.server.storage import audit, authority, event_log, mails, realms, sent_forms
from keybearer.server.storage.current_realm import CurrentRealm
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing

UNSENT_LOGGED_EVERY = timedelta(hours=1)
"""How often one worker logs that mails to one recipient are not sent."""

_log = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction in progress, the moment at which it happens, and who acts (None: the server itself)."""

    connection: AsyncConnection
    now: datetime
    acting: Actor | None
    origin: RequestOrigin
    ring: SecretRing
    unsent_mails: OnceEvery[str]
    events: list[Event] = field(default_factory=list)
    account_news: list[AccountNews] = field(default_factory=list)

    def by(self, account: Account) -> Change:
        """The same transaction, made by an account that was created or signed in within it."""
        return replace(self, acting=Actor(account, self.origin))

    @property
    def actor(self) -> Actor:
        """Who acts. Only for use cases that a caller starts."""
        assert self.acting is not None
        return self.acting

    @property
    def acting_account(self) -> Account | None:
        """The acting account; None for the server itself and its operator, who may do everything."""
        return None if self.acting is None else self.acting.account

    def check_covers(self, grant: Grant) -> None:
        """Raise BeyondGrant if the actor used a key, and a key with this grant may do more than that key."""
        if self.acting is not None:
            self.acting.check_covers(grant)

    def check_password_if_role_rises(self, account: Account, role: Role) -> None:
        """Raise PasswordNeeded if the account gets a higher role, by a session whose password was given too long ago: a
        role outlives a stolen session.
        """
        if self.acting is not None and role < account.granted_role:
            self.acting.check_password_is_fresh(self.now)

    @property
    def actor_id(self) -> int | None:
        """The id of the acting account."""
        return None if self.acting is None else self.acting.id

    async def record(
        self,
        event: AuditEvent,
        subject: Account | None = None,
        *,
        realm: Realm | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Write an audit event into this transaction."""
        await self.record_all(event, [(subject, details or {})], realm=realm)

    async def record_all(
        self,
        event: AuditEvent,
        about: Sequence[tuple[Account | None, Mapping[str, object]]],
        *,
        realm: Realm | None = None,
    ) -> None:
        """Write a record of the same event for each of these subjects, with its details, in one statement."""
        account = next((subject for subject, _ in about if subject is not None), self.acting_account)
        await audit.add(
            self.connection,
            event,
            realm_id=account.realm_id if account else (realm.id if realm else None),
            at=self.now,
            actor_id=self.actor_id,
            about=[(subject.id if subject else None, details) for subject, details in about],
            origin=self.origin,
        )

    def tell(self, *events: Event) -> None:
        """Send these events to clients once this transaction is written."""
        self.events.extend(events)

    def tell_added(self, account: Account) -> None:
        """Tell clients about a new account once this transaction is written."""
        self.account_news.append(AccountNews(account, None))

    def tell_changed(self, account: Account, *fields: str) -> None:
        """Tell clients the new values of these fields of an account (wire names) once this transaction is written."""
        self.account_news.append(AccountNews(account, fields))

    def end_polls_of(self, account_id: int) -> None:
        """Once this transaction is written, every open poll of the account checks again whether it may continue.

        Everything that ends a key, a session or the account must call this.
        """
        self.events.append(access_changed(account_id))

    async def write_events(self) -> bool:
        """Write the events for clients. Returns whether there were any. This is the last step, because it makes other
        writers wait.
        """
        if self.account_news:
            realm = await realms.find(self.connection)
            for news in self.account_news:
                self.events.extend(account_events.events_of(news, dummy_domain=realm.bot_domain if realm else ""))
        if self.events:
            await event_log.append(self.connection, self.events)
        return bool(self.events)

    async def check_mails(self, recipients: Sequence[str]) -> None:
        """Raise CapReached if too many mails already wait to add one to each of these recipients. For mails that
        somebody requests.
        """
        check_cap(Cap.MAILS, await mails.count(self.connection) + len(recipients))
        waiting = await mails.count_to(self.connection, recipients)
        check_cap(Cap.MAILS_TO_ONE, max(waiting.values(), default=0) + 1)

    async def send(self, *sent: Mail | None) -> None:
        """Put mails into the queue. They are sent only if this transaction is written. None sends nothing.

        A recipient for whom too many mails already wait gets none of these. The log says so, once an hour for each.
        """
        new = [mail for mail in sent if mail is not None]
        most = Cap.MAILS_TO_ONE.most
        waiting = await mails.count_to(self.connection, [mail.recipient for mail in new]) if new else {}
        kept = []
        for mail in new:
            number = waiting[mail.recipient] = waiting.get(mail.recipient, 0) + 1
            if number <= most:
                kept.append(mail)
            elif self.unsent_mails.is_due(mail.recipient):
                _log.warning("a mail was not sent: %d wait for its recipient already; logged once an hour", most)
        await mails.add(self.connection, self.ring, kept, at=self.now)
