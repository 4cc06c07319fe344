"""A server in the test's own process: the whole application on its own database, called over ASGI without a port.

async with serving(tmp_path) as server:
    hamlet = await server.add_person("hamlet")
    answer = await server.client().get("/api/v1/users/me", auth=hamlet.auth)
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from argon2 import PasswordHasher

from keybearer.server.app import Application, create_app
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.mails import Mail
from keybearer.server.http import csrf, form_tokens
from keybearer.server.http.cookies import SESSION_COOKIE, cookie_name
from keybearer.server.services import accounts as people
from keybearer.server.services import bots
from keybearer.server.services.bots import NewBot
from keybearer.server.services.context import Context
from keybearer.server.services.server_data import opened
from keybearer.server.services.sessions import open_session
from keybearer.server.settings import Settings
from keybearer.server.storage import accounts, api_keys, mails, realms
from keybearer.server.storage.audit import AuditFilter
from keybearer.server.storage.audit import find as find_audit
from keybearer.server.storage.secret_ring import SecretRing
from tests.wire.described import check_response

SITE = "http://localhost:9991"
PASSWORD = "a rather good passphrase 8264"
ADDRESS = "198.51.100.7"

_cheap_hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass(frozen=True)
class Known:
    """An account with its credentials for tests."""

    account: Account
    api_key: str
    password: str = PASSWORD

    @property
    def id(self) -> int:
        """The account's id."""
        return self.account.id

    @property
    def email(self) -> str:
        """Its delivery email."""
        return self.account.delivery_email

    @property
    def auth(self) -> tuple[str, str]:
        """HTTP Basic's pair."""
        return self.email, self.api_key


@dataclass
class InProcessServer:
    """A running application, and the use cases on its database beside it."""

    settings: Settings
    app: Application
    context: Context
    site: str
    clients: list[httpx2.AsyncClient] = field(default_factory=list)

    def client(self, *, address: str = ADDRESS, site: str | None = None, **options: Any) -> httpx2.AsyncClient:
        """A client with this network address. It keeps cookies, and checks answers against the OpenAPI document."""
        transport = httpx2.ASGITransport(app=self.app, client=(address, 40000), raise_app_exceptions=True)
        hooks = {"response": [check_response]}
        client = httpx2.AsyncClient(transport=transport, base_url=site or self.site, event_hooks=hooks, **options)
        self.clients.append(client)
        return client

    async def add_person(self, name: str, role: Role = Role.MEMBER, *, domain: str = "example.com") -> Known:
        """Add a person with a name and an address made from one word."""
        async with self.context.change(None) as change:
            account = await people.add(
                replace(change, now=change.now - timedelta(days=30)),
                email=f"{name}@{domain}",
                full_name=name.capitalize(),
                role=role,
                password_hash=_cheap_hasher.hash(PASSWORD),
            )
        return await self.known(account.delivery_email)

    async def add_bot(
        self, owner: Known, short_name: str, bot_type: BotType = BotType.GENERIC, *, name: str | None = None
    ) -> Known:
        """Add a bot of this owner."""
        issued = await bots.create(
            self.context,
            Caller(owner.account),
            NewBot(
                full_name=name or f"Bot {short_name}",
                short_name=short_name,
                bot_type=bot_type,
                payload_url="http://127.0.0.1:1/" if bot_type is BotType.OUTGOING_WEBHOOK else None,
            ),
        )
        return Known(issued.account, issued.api_key.reveal(), "")

    async def known(self, email: str) -> Known:
        """The current account with this address, with its valid key."""
        async with self.context.reading() as connection:
            realm = await realms.find(connection)
            assert realm is not None
            account = await accounts.find_by_email(connection, realm.id, email)
            assert account is not None, email
            revealed = await api_keys.reveal_account_keys(connection, self.context.ring, [account.id])
        return Known(account, revealed[0].api_key.reveal())

    async def signed_in(self, who: Known, *, address: str = ADDRESS, **options: Any) -> httpx2.AsyncClient:
        """A client with a session of this account, and with the token for its changes."""
        async with self.context.change(Caller(who.account, RequestOrigin(address, "test"))) as change:
            token = (await open_session(change, who.account)).token.reveal()
        client = self.client(address=address, **options)
        scheme = self.site.partition(":")[0]
        client.cookies.set(cookie_name(SESSION_COOKIE, scheme), token)
        client.headers["X-CSRFToken"] = csrf.token_of_session(token)
        client.headers["Referer"] = f"{self.site}/"
        return client

    def once(self, session: str) -> dict[str, str]:
        """The field for a form that is carried out only once, in the browser with this session cookie."""
        return {form_tokens.FIELD: form_tokens.token_of_session(session, self.context.clock())}

    async def mails(self) -> list[Mail]:
        """Every mail so far, the oldest first. No mail server is set, so all mails stay in the database."""
        async with self.context.reading() as connection:
            return [mail.opened(self.context.ring) for mail in await mails.find_newest(connection, limit=1000)]

    async def events(self, *, since: datetime | None = None) -> list[tuple[str, int | None, int | None]]:
        """The audit log, the oldest first: event, actor, subject."""
        async with self.context.reading() as connection:
            records = await find_audit(connection, AuditFilter(since=since, limit=1000))
        return [(record.event.value, record.actor_id, record.subject_id) for record in reversed(records)]


def prepared(directory: Path, sqlite_template: Path | None = None, **settings: Any) -> Settings:
    """The settings of a data directory that is ready to be opened."""
    directory.mkdir(exist_ok=True)
    if sqlite_template is not None:
        shutil.copy(sqlite_template, directory / "keybearer.db")
    found = Settings(data_dir=directory, **settings)
    SecretRing.create(found.secrets_file)
    return found


@asynccontextmanager
async def serving(settings: Settings, *, site: str = SITE) -> AsyncIterator[InProcessServer]:
    """The running application on a database with the schema and an organization without accounts."""
    async with opened(settings) as context:
        async with context.change(None) as change:
            if await realms.find(change.connection) is None:
                await realms.add(change.connection, name="Example", site=site, created_at=change.now)
        app = create_app(settings)
        async with app.running():
            server = InProcessServer(settings, app, context, site)
            try:
                yield server
            finally:
                for client in server.clients:
                    await client.aclose()
