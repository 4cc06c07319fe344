"""What version 0.1.0 left behind, whole: its data directory migrates, and its backup is restored, with every file.

The archive was made by the first version of 0.1.0 that had uploads: a data directory with people, a bot, messages and
three files, a backup of it, and what a client knows of it (`known.json`). Hamlet's first key was replaced, and Cordelia
was deactivated before the backup.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keybearer.server.app import create_app
from keybearer.server.services import server_data
from keybearer.server.services.messaging import old_uploads
from keybearer.server.services.messaging.old_uploads import MovedFiles
from keybearer.server.services.server_data import opened
from keybearer.server.settings import Settings
from keybearer.server.storage.schema import HEAD, current_revision, migrate
from tests.asgi import ask, by_key
from tests.server_process import run_keybearer, running_server

ARCHIVE = Path(__file__).with_name("made_by_0_1_0.tar.xz")
FILES = (b"words, words, words\n", bytes(n % 251 for n in range(600_000)), b"")
HOST = "127.0.0.1:9777"


@dataclass(frozen=True)
class Left:
    """What the old version left."""

    data_dir: Path
    backup: Path
    known: dict[str, Any]

    @property
    def old_files(self) -> Path:
        """The directory of its files."""
        return self.data_dir / "uploads"


@pytest.fixture
def left(tmp_path: Path) -> Left:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    known = json.loads((tmp_path / "known.json").read_text())
    return Left(tmp_path / "data", tmp_path / "keybearer.backup", known)


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[Any]:
    app = create_app(settings)
    async with app.running():
        yield app


async def check(left: Left, settings: Settings) -> None:
    """Every key, message and file is what it was."""
    async with application(settings) as app:
        for email, api_key in left.known["keys"].items():
            answer = await ask(app, "GET", "/api/v1/users/me", {**by_key((email, api_key)), "host": HOST})
            assert answer.status == (401 if email.startswith("cordelia") else 200), (email, answer.text)
        for email, api_key in left.known["revoked_key"].items():
            answer = await ask(app, "GET", "/api/v1/users/me", {**by_key((email, api_key)), "host": HOST})
            assert answer.status == 401
        hamlet = {**by_key(("hamlet@example.com", left.known["keys"]["hamlet@example.com"])), "host": HOST}
        for url, content in list(zip(left.known["urls"], FILES, strict=True))[:2]:
            answer = await ask(app, "GET", url, hamlet)
            assert (answer.status, answer.body) == (200, content)
        found = await ask(app, "GET", "/api/v1/messages?anchor=newest&num_before=9&num_after=0", hamlet)
        texts = [each["content"] for each in json.loads(found.body)["messages"]]
        assert [url in text for url, text in zip(left.known["urls"], texts, strict=False)] == [True, True]


async def move_into_database(settings: Settings) -> MovedFiles:
    async with opened(settings) as context:
        return await old_uploads.move_into_database(context)


async def test_the_old_data_directory_migrates_with_every_file_and_leaves_nothing_outside_the_database(
    left: Left,
) -> None:
    settings = Settings(data_dir=left.data_dir)
    assert (await migrate(settings.database_url)).before == "0002"
    assert await move_into_database(settings) == MovedFiles(written=3, removed=3)
    assert not left.old_files.exists()
    await check(left, settings)
    assert await move_into_database(settings) == MovedFiles()


async def test_the_old_backup_is_restored_with_the_files_of_the_data_directory(left: Left, database_url: str) -> None:
    settings = Settings(data_dir=left.data_dir, database_url=database_url)
    await server_data.restore(settings, left.backup)
    assert await current_revision(database_url) == HEAD
    assert (await move_into_database(settings)).removed == 3
    await check(left, settings)


async def test_a_new_backup_of_the_old_data_contains_the_files(left: Left, tmp_path: Path, database_url: str) -> None:
    settings = Settings(data_dir=left.data_dir)
    await migrate(settings.database_url)
    await move_into_database(settings)
    await server_data.back_up(settings, tmp_path / "new.backup")
    other = Settings(data_dir=tmp_path / "other", database_url=database_url, secrets_file=settings.secrets_file)
    await server_data.restore(other, tmp_path / "new.backup")
    await check(left, other)


async def test_a_file_is_removed_only_if_the_database_has_the_same_bytes(left: Left) -> None:
    settings = Settings(data_dir=left.data_dir)
    letter = left.old_files / left.known["urls"][0].removeprefix("/user_uploads/")
    shutil.copytree(left.old_files, left.data_dir / "copy")
    letter.write_bytes(b"W" + letter.read_bytes())  # longer than its row says
    stray = left.old_files / "1" / "nobody's.txt"
    stray.write_text("no row")
    await migrate(settings.database_url)
    assert await move_into_database(settings) == MovedFiles(written=2, removed=2, left=2)
    assert sorted(path for path in left.old_files.rglob("*") if path.is_file()) == sorted([stray, letter])
    letter.write_bytes(FILES[0])
    stray.unlink()
    assert await move_into_database(settings) == MovedFiles(written=1, removed=1)
    shutil.copytree(left.data_dir / "copy", left.old_files)
    letter.write_bytes(FILES[0].upper())  # as long as its row says, but not what the database has
    assert await move_into_database(settings) == MovedFiles(written=0, removed=2, left=1)
    assert letter.read_bytes() == FILES[0].upper()


async def test_an_interrupted_move_continues_at_the_next_start(left: Left) -> None:
    settings = Settings(data_dir=left.data_dir)
    await migrate(settings.database_url)
    hidden = left.data_dir / "hidden"
    large = left.old_files / left.known["urls"][1].removeprefix("/user_uploads/")
    large.rename(hidden)  # as on a machine that has only some of the files
    assert await move_into_database(settings) == MovedFiles(written=2, removed=2)
    large.parent.mkdir(parents=True)
    hidden.rename(large)
    assert await move_into_database(settings) == MovedFiles(written=1, removed=1)
    await check(left, settings)


def test_starting_the_server_moves_all_files(left: Left) -> None:
    with running_server(left.data_dir) as server:
        auth = ("hamlet@example.com", left.known["keys"]["hamlet@example.com"])
        url, host = f"{server.site}{left.known['urls'][1]}", {"Host": HOST}
        assert httpx2.get(url, auth=auth, headers=host).content == FILES[1]
    assert not left.old_files.exists()
    assert sorted(path.name for path in left.data_dir.iterdir()) == [
        "keybearer-0002.db", "keybearer.db", "secrets.json", "server.lock",
    ]  # fmt: skip


def test_the_migrate_command_moves_all_files(left: Left) -> None:
    done = run_keybearer("admin", "migrate", "--json", "--data-dir", left.data_dir)
    assert json.loads(done.stdout)["files"] == {"written": 3, "removed": 3, "left": 0}
    assert not left.old_files.exists()
