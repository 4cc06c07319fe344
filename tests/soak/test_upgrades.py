"""An upgrade: on PostgreSQL old and new versions serve side by side; on SQLite it is a stop and a start."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

import keybearer
from keybearer.server.storage.schema import HEAD, current_revision
from tests.databases import finish
from tests.server_process import OWNER_EMAIL, RunningServer, running_server, started_server

pytestmark = pytest.mark.soak

SECONDS = 600.0
NEWER = "9000"
STEP = f'''"""What a later version adds: it leaves this one at work."""

import sqlalchemy as sa
from alembic import op

revision = "{NEWER}"
down_revision = "{HEAD}"
oldest_program = "{HEAD}"


def upgrade() -> None:
    for table in ("accounts", "api_keys", "messages", "realms"):
        op.add_column(table, sa.Column("later", sa.Text, nullable=False, server_default="later"))
        op.create_index(f"ix_{{table}}_later", table, ["later"])
    op.create_table("later", sa.Column("account_id", sa.Integer, sa.ForeignKey("accounts.id"), primary_key=True))
'''


@pytest.fixture
def newer(tmp_path: Path) -> dict[str, str]:
    """The variables with which `keybearer` is a later version: this one with one more migration step."""
    package = tmp_path / "newer" / "keybearer"
    shutil.copytree(Path(keybearer.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / f"server/storage/migrations/versions/r{NEWER}_later.py").write_text(STEP)
    return {"PYTHONPATH": str(package.parent)}


@dataclass
class Load:
    """Programs that call and change, and the answers to them."""

    server: RunningServer
    host: str
    key: str
    statuses: Counter[str] = field(default_factory=Counter)
    longest_gap: float = 0.0
    """Seconds without an answer, for the program that only reads."""

    def ask(self, done: threading.Event) -> None:
        last = time.monotonic()
        with self.client() as client:
            while not done.is_set():
                try:
                    status = str(client.get("/api/v1/users/me").status_code)
                except httpx2.TransportError:
                    time.sleep(0.01)
                    continue
                self.statuses[status] += 1
                self.longest_gap = max(self.longest_gap, time.monotonic() - last)
                last = time.monotonic()
                time.sleep(0.005)

    def change(self, done: threading.Event) -> None:
        fields = {"type": "direct", "to": f'["{OWNER_EMAIL}"]', "content": "still here"}
        with self.client() as client:
            while not done.is_set():
                self.statuses[str(client.post("/api/v1/messages", data=fields).status_code)] += 1
                self.statuses[str(client.patch("/api/v1/settings", data={"full_name": "Olivia"}).status_code)] += 1

    def client(self) -> httpx2.Client:
        return httpx2.Client(
            base_url=self.server.site, auth=(OWNER_EMAIL, self.key), headers={"Host": self.host}, timeout=30
        )


@contextmanager
def under_load(server: RunningServer, host: str, *, changes: bool = True) -> Iterator[Load]:
    load, done = Load(server, host, server.api_key_of()), threading.Event()
    work = [load.ask, load.change] if changes else [load.ask]
    threads = [threading.Thread(target=each, args=(done,)) for each in work]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        done.set()
        for thread in threads:
            thread.join(30)


def test_on_postgresql_an_old_version_keeps_serving_during_and_after_a_newer_ones_migration(
    empty_postgresql_url: str, tmp_path: Path, newer: dict[str, str]
) -> None:
    environ = {"KEYBEARER_DATABASE_URL": empty_postgresql_url, "KEYBEARER_API_LIMIT": "1000000/minute"}
    with running_server(tmp_path / "old", environ=environ) as old:
        host = old.site.partition("://")[2]
        environ["KEYBEARER_SECRETS"] = str(old.settings.secrets_file)
        with under_load(old, host) as load:
            time.sleep(SECONDS / 2)
            with started_server(tmp_path / "new", environ={**environ, **newer}) as new:
                assert finish(current_revision(empty_postgresql_url)) == NEWER
                with under_load(new, host) as further:
                    time.sleep(SECONDS / 2)
                assert httpx2.get(f"{old.site}/health/ready").status_code == 200
    for each in (load, further):
        assert each.statuses["200"] > 0
        assert each.statuses.keys() == {"200"}, each.statuses
    calls = load.statuses.total() + further.statuses.total()
    print(f"\nside by side for {SECONDS:.0f} s: {calls:,} calls, all 200; longest gap {load.longest_gap:.2f} s")


def test_on_sqlite_an_upgrade_is_a_stop_and_a_start(tmp_path: Path, newer: dict[str, str]) -> None:
    environ = {"KEYBEARER_API_LIMIT": "1000000/minute"}
    gaps = []
    for number in range(5):
        data_dir = tmp_path / str(number)
        with running_server(data_dir, environ=environ) as old, under_load(old, "127.0.0.1", changes=False) as load:
            time.sleep(1)
            assert old.stop() == 0
            with started_server(data_dir, "--port", str(old.port), environ={**environ, **newer}):
                time.sleep(1)
        assert load.statuses.keys() == {"200"}
        gaps.append(load.longest_gap)
    gaps.sort()
    print(f"\nfive upgrades on SQLite: without an answer for {gaps[0]:.1f} to {gaps[-1]:.1f} s, median {gaps[2]:.1f} s")
