"""A server in a thread of the test's own process, on a free port and in a temporary directory."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import os
import socket
import tempfile
import threading
import unicodedata
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from granian.constants import Interfaces
from granian.server.embed import Server as Listener

from keybearer.client.models.messages import Message
from keybearer.client.sync import Client
from keybearer.errors import ClientError
from keybearer.secret import Secret
from keybearer.server.app import create_app
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.bots import BotType
from keybearer.server.services import accounts, api_keys, bots, deactivation, server_data, setup
from keybearer.server.services.api_keys import IssuedKey
from keybearer.server.services.bots import NewBot
from keybearer.server.services.context import Context
from keybearer.server.services.setup import NewOrganization
from keybearer.server.settings import Settings
from keybearer.server.storage import event_log
from keybearer.store.files import write_zuliprc
from keybearer.testing.participants import Participant
from keybearer.testing.programs import Program, running
from keybearer.zuliprc.credentials import Credentials

T = TypeVar("T")

HOST = "127.0.0.1"
PASSWORD = "a password for tests 4821"  # noqa: S105  of accounts that live as long as a test
"""The password of every person."""

STARTS_WITHIN = 30.0


@dataclass
class Server:
    """A running server. `owner` is the owner of its organization, `site` its address.

    Its database, secrets and zuliprc files are in `directory`, which is removed when the server stops.
    """

    site: str
    directory: Path
    _context: Context = field(repr=False)
    _loop: asyncio.AbstractEventLoop = field(repr=False)
    _password_hash: str = field(repr=False)
    _count_polls: Callable[[int], int] = field(repr=False)
    owner: Participant = field(init=False)
    participants: list[Participant] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)

    def add_person(self, full_name: str, *, email: str | None = None, role: Role = Role.MEMBER) -> Participant:
        """Add a person. The password is `PASSWORD`.

        Without an email it is `<first name>@example.com`; if that is taken, `<first name>.<last name>@example.com`,
        and then the first of these with a number that is free.
        """
        names = [_ascii(part) for part in full_name.split()]
        full = ".".join(filter(None, names))
        address = email or self._free((names[0] if names else "") or full or "person", full, "@example.com")

        async def add() -> Account:
            async with self._context.change(None) as change:
                return await accounts.add(
                    change,
                    email=address,
                    full_name=full_name,
                    role=role,
                    password_hash=self._password_hash,
                )

        return self.joined(self.finish(add()))

    def add_bot(
        self,
        full_name: str,
        *,
        owner: Participant | None = None,
        bot_type: BotType = BotType.GENERIC,
        payload_url: str | None = None,
    ) -> Participant:
        """Add a bot, owned by `owner`, or else by the organization's owner.

        Its address has the ASCII letters and digits of its name, with a number if that address is taken.
        """
        short_name = self._free(_ascii(full_name) or "bot", "", "-bot@").removesuffix("-bot@")
        new = NewBot(full_name, short_name, bot_type, payload_url=payload_url)

        async def create() -> IssuedKey:
            account = await self._account(owner or self.owner)
            return await bots.create(self._context, Caller(account), new)

        return self._participant(self.finish(create()))

    def add_channel(self, name: str, *, subscribers: Sequence[Participant] = ()) -> None:
        """Create a channel. The owner, who creates it, and `subscribers` are subscribed to it."""
        people = [self.owner, *subscribers]
        self.owner.client.add_subscriptions([name], principals=[each.id for each in people])

    def _free(self, name: str, longer: str, end: str) -> str:
        """The first free address of `name`, `longer`, `name2`, `name3`, ..., each with `end`."""
        numbered = (f"{name}{number}" for number in itertools.count(2))
        candidates = (f"{one}{end}" for one in itertools.chain([name, longer or name], numbered))
        taken = [participant.email.lower() for participant in self.participants]
        return next(one for one in candidates if not any(email.startswith(one) for email in taken))

    @contextmanager
    def running(
        self, command: Sequence[str | os.PathLike[str]], environ: Mapping[str, str] | None = None
    ) -> Iterator[Program]:
        """Run a program, such as a bot, while the block runs. It has only the Zulip credentials that you pass to it."""
        with running(command, environ) as program:
            self.programs.append(program)
            try:
                yield program
            finally:
                self.programs.remove(program)

    def program_of(self, participant: Participant) -> Program | None:
        """The latest program that was started with this participant's zuliprc; None if there is none."""
        path = str(participant.zuliprc)
        return next((one for one in reversed(self.programs) if any(path in text for text in one.inputs)), None)

    def explain_silence(self, participant: Participant, message: Message) -> str:
        """Why a participant got no event for a message in a channel; empty if they did, or if the reason is unknown."""
        if message.type != "stream" or participant.mention in message.content:
            return ""
        try:
            followed = {channel.name for channel in participant.client.get_subscriptions()}
        except ClientError:
            return ""
        if message.display_recipient in followed:
            return ""
        return (
            f"{participant.full_name} is not subscribed to the channel {message.display_recipient} and was not "
            f"mentioned ({participant.mention}), so the message did not reach it"
        )

    def count_queues(self, participant: Participant) -> int:
        """How many event queues a participant has open."""

        async def count() -> int:
            async with self._context.reading() as connection:
                return await event_log.count_queues(connection, participant.id, self._context.clock())

        return self.finish(count())

    def count_polls(self, participant: Participant) -> int:
        """How many polls of a participant are waiting for events now."""
        return self._count_polls(participant.id)

    def regenerate_api_key(self, participant: Participant) -> None:
        """Replace a participant's key. Their client and zuliprc get the new one."""
        issued = self.finish(api_keys.regenerate_by_operator(self._context, participant.id))
        participant.client.close()
        participant.client = self._client(issued, participant.zuliprc)

    def deactivate(self, participant: Participant) -> None:
        """Deactivate a participant and their bots."""

        async def deactivate() -> None:
            account = await self._account(participant)
            if account.is_bot:
                await bots.deactivate(self._context, Caller(await self._account(self.owner)), account.id)
            else:
                await deactivation.deactivate_person(self._context, None, account.id)

        self.finish(deactivate())

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's event loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _account(self, participant: Participant) -> Account:
        everybody = await accounts.find_all_for_operator(self._context)
        return next(account for account in everybody if account.id == participant.id)

    def joined(self, account: Account) -> Participant:
        """A participant for an account of the organization."""
        return self._participant(self.finish(api_keys.reveal_own(self._context, Caller(account))))

    def _participant(self, issued: IssuedKey) -> Participant:
        account = issued.account
        path = self.directory / "zuliprc" / f"{account.id}-{_ascii(account.full_name)}"
        path.parent.mkdir(exist_ok=True)
        client = self._client(issued, path)
        participant = Participant(self, account.id, account.delivery_email, account.full_name, path, client)
        self.participants.append(participant)
        return participant

    def _client(self, issued: IssuedKey, path: Path) -> Client:
        credentials = Credentials(
            email=issued.account.delivery_email, api_key=issued.api_key, site=self.site, token=issued.token
        )
        write_zuliprc(path, credentials)
        return Client(credentials)


@contextmanager
def running_server(*, organization: str = "Test", database_url: str = "") -> Iterator[Server]:
    """A server while the block runs, on an SQLite file of its own or on an empty database at `database_url`.

    Its outgoing webhooks may call programs on this machine.
    """
    with tempfile.TemporaryDirectory(prefix="keybearer-") as directory:
        thread = _Thread(Path(directory), organization, database_url)
        server = thread.start()
        try:
            yield server
        finally:
            for participant in server.participants:
                participant.client.close()
            thread.stop()


class _Thread:
    """The thread with the server's event loop."""

    def __init__(self, directory: Path, organization: str, database_url: str) -> None:
        self._directory = directory
        self._database_url = database_url
        self._organization = organization
        self._started: Future[tuple[Server, Account]] = Future()
        self._stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, name="keybearer-testing")

    def start(self) -> Server:
        """Start the server and wait until it answers. Raises the error that kept it from starting."""
        self._thread.start()
        try:
            server, owner = self._started.result(STARTS_WITHIN)
        except BaseException:
            self.stop()
            raise
        server.owner = server.joined(owner)
        return server

    def stop(self) -> None:
        """Stop the server and wait until it has stopped."""
        self._stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  reported to the waiting thread
            if not self._started.done():
                self._started.set_exception(error)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        self._stop = lambda: loop.is_closed() or loop.call_soon_threadsafe(stopping.set)
        port = _free_port()
        site = f"http://{HOST}:{port}"
        settings = Settings(
            self._directory,
            database_url=self._database_url,
            port=port,
            development=True,
            webhook_networks=(ipaddress.ip_network("127.0.0.0/8"),),
            api_limit="1000000/minute",
            failure_limit="1000000/minute",
        )
        await server_data.prepare(settings)
        async with server_data.opened(settings) as context:
            owner = await setup.create_organization_by_operator(context, _organization(self._organization, site))
            password_hash = await context.hasher.hash(Secret(PASSWORD))
            application = create_app(settings)
            async with application.running():
                listener = Listener(application, HOST, port, interface=Interfaces.ASGINL, log_enabled=False)
                listening = asyncio.create_task(listener.serve())
                await _until_listening(port)
                server = Server(site, self._directory, context, loop, password_hash, application.count_polls)
                self._started.set_result((server, owner))
                await stopping.wait()
                application.end_polls()
                listener.stop()  # type: ignore[no-untyped-call]
                await listening


def _ascii(text: str) -> str:
    """The ASCII letters and digits of a name, in lower case, letters without their accents."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in plain if character.isascii() and character.isalnum())


def _organization(name: str, site: str) -> NewOrganization:
    return NewOrganization.checked(
        name=name, site=site, email="owner@example.com", full_name="Olivia Owner", password=Secret(PASSWORD)
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def _until_listening(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.005)
        else:
            writer.close()
            await writer.wait_closed()
            return
