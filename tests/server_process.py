"""A real server for tests: `keybearer serve` as a process, on a free port, in its own directory.

with running_server(tmp_path / "data") as server:
    httpx2.get(f"{server.site}/api/v1/server_settings")
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from keybearer.secret import Secret
from keybearer.server.services import setup
from keybearer.server.services.context import Context
from keybearer.server.services.server_data import opened
from keybearer.server.settings import Settings
from keybearer.server.storage import accounts, api_keys
from keybearer.server.storage.secret_ring import SecretRing
from tests.databases import file_with_schema, finish

T = TypeVar("T")

KEYBEARER = str(Path(sys.executable).with_name("keybearer"))
STARTS_WITHIN = 60.0
STOPS_WITHIN = 60.0

OWNER_EMAIL = "owner@example.com"
OWNER_NAME = "Olivia Owner"
OWNER_PASSWORD = "correct horse battery staple"
ORGANIZATION = "Example"

_LINK = re.compile(r"https?://\S+/setup/\S+/")


def clean_environ(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without the developer's own variables for Keybearer or Zulip."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KEYBEARER_", "ZULIP_"))}
    return {**kept, **(extra or {})}


def run_keybearer(
    *arguments: str | Path, stdin: str = "", environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, with this standard input."""
    return subprocess.run(
        [KEYBEARER, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=STARTS_WITHIN,
        env=clean_environ(environ),
    )


@dataclass
class RunningServer:
    """A server process that answers at `site`. `lines` is its output; `log` its standard error."""

    process: subprocess.Popen[str]
    settings: Settings
    log: Path
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.site.rpartition(":")[2])

    @property
    def site(self) -> str:
        """Its address, without a slash at the end."""
        found = re.search(r"ready at (\S+)", self.lines[0])
        assert found is not None
        return found.group(1)

    @property
    def setup_link(self) -> str | None:
        """The link that it printed for the set-up; None if it was set up before."""
        return next((found.group() for line in self.lines if (found := _LINK.fullmatch(line))), None)

    @property
    def data_dir(self) -> Path:
        """Its data directory."""
        return self.settings.data_dir

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def on_data(self, use_case: Callable[[Context], Awaitable[T]]) -> T:
        """Run a use case on the server's own database and secrets, beside it."""

        async def run() -> T:
            async with opened(self.settings) as context:
                return await use_case(context)

        return finish(run())

    def set_up(self) -> None:
        """Make the organization and its owner."""

        async def create(context: Context) -> object:
            wanted = setup.NewOrganization.checked(
                name=ORGANIZATION,
                site=self.site,
                email=OWNER_EMAIL,
                full_name=OWNER_NAME,
                password=Secret(OWNER_PASSWORD),
            )
            return await setup.create_organization_by_operator(context, wanted)

        self.on_data(create)

    def api_key_of(self, email: str = OWNER_EMAIL) -> str:
        """The valid key of an account, from the database."""

        async def reveal(context: Context) -> str:
            async with context.reading() as connection:
                realm = await context.realm.find()
                assert realm is not None
                account = await accounts.find_by_email(connection, realm.id, email)
                assert account is not None
                revealed = await api_keys.reveal_account_keys(connection, context.ring, [account.id])
                return revealed[0].api_key.reveal()

        return self.on_data(reveal)

    def write_zuliprc(self, path: Path, email: str = OWNER_EMAIL) -> Path:
        """Write an account's zuliprc."""
        path.write_text(f"[api]\nemail={email}\nkey={self.api_key_of(email)}\nsite={self.site}\n")
        path.chmod(0o600)
        return path

    def stop(self) -> int:
        """Ask it to stop; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOPS_WITHIN)


@contextmanager
def started_server(
    data_dir: Path,
    *flags: str | Path,
    environ: Mapping[str, str] | None = None,
    lines: int = 2,
    keybearer: str | Path = KEYBEARER,
) -> Iterator[RunningServer]:
    """A running server, with any data directory. It is stopped when the block ends.

    It uses port 0, so no other program can have its port. `lines` is how many lines it prints before it is ready.
    `keybearer` is the command to run.
    """
    variables = clean_environ(environ)
    log = data_dir.with_name(f"{data_dir.name}.log")
    with log.open("a") as standard_error:
        process = subprocess.Popen(
            [str(keybearer), "serve", "--data-dir", str(data_dir), "--port", "0", *map(str, flags)],
            stdout=subprocess.PIPE,
            stderr=standard_error,
            text=True,
            env=variables,
        )
    database_url = _flag(flags, "--database-url")
    server = RunningServer(process, Settings.from_environ(variables, data_dir=data_dir, database_url=database_url), log)
    try:
        server.lines = _first_lines(process, lines, log)
        yield server
    finally:
        _end(process)


@contextmanager
def running_server(
    data_dir: Path, *flags: str | Path, environ: Mapping[str, str] | None = None
) -> Iterator[RunningServer]:
    """A running server, with an organization and its owner."""
    settings = Settings.from_environ(
        clean_environ(environ), data_dir=data_dir, database_url=_flag(flags, "--database-url")
    )
    if not data_dir.exists() and settings.database_url.startswith("sqlite"):
        data_dir.mkdir(mode=0o700, parents=True)
        shutil.copy(file_with_schema(), data_dir / "keybearer.db")  # creating the schema takes as long as all the rest
        SecretRing.create(settings.secrets_file)
    with started_server(data_dir, *flags, environ=environ) as server:
        if server.setup_link is not None:
            server.set_up()
        yield server


def _flag(flags: Sequence[str | Path], name: str) -> str | None:
    return str(flags[flags.index(name) + 1]) if name in flags else None


def _first_lines(process: subprocess.Popen[str], count: int, log: Path) -> list[str]:
    arrived: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            arrived.put(line.rstrip("\n"))
        arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    lines: list[str] = []
    while len(lines) < count or lines[-1].endswith(":"):
        try:
            line = arrived.get(timeout=STARTS_WITHIN)
        except queue.Empty:
            line = None
        if line is None:
            raise AssertionError(f"the server did not start:\n{log.read_text()}")
        lines.append(line)
    return lines


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert process.stdout is not None
    process.stdout.close()
