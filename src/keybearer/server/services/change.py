"""A transaction in progress: what use cases write into it besides rows, and who acts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain import account_events
from keybearer.server.domain.account_events import AccountNews
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.actors import Actor, RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import check_cap
from keybearer.server.domain.event_log import Event, access_changed
from keybearer.server.domain.grants import Grant
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.mails import Mail
from keybearer.server.domain.once_every import OnceEvery
from keybearer.server.domain.realms import Realm
from keybearer.server.storage import audit, event_log, mails, realms
from keybearer.server.storage.secret_ring import SecretRing

_log = logging.getLogger(__name__)


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
