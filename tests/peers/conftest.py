"""A running server with people, and the zuliprc files that it issued to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

import keybearer
from tests.server_process import OWNER_EMAIL, RunningServer, running_server


@dataclass(frozen=True)
class Stage:
    """The server, its owner's zuliprc, and that of a bot of theirs, each as issued."""

    server: RunningServer
    owner: Path
    bot: Path

    def regenerate(self, zuliprc: Path) -> str:
        """Replace the owner's key behind the file's back; returns the new one."""
        answer = httpx2.post(
            f"{self.server.site}/api/v1/users/me/api_key/regenerate",
            auth=(OWNER_EMAIL, self.server.api_key_of(OWNER_EMAIL)),
        )
        key: str = answer.json()["api_key"]
        assert key not in zuliprc.read_text()
        return key

    def with_named_key(self, zuliprc: Path) -> Path:
        """A zuliprc of the same account with a new named key, which has the scopes of a key that asks for none."""
        ours = keybearer.read_zuliprc(zuliprc)
        auth = (ours.email or "", ours.api_key.reveal() if ours.api_key else "")
        url = f"{self.server.site}/api/v1/users/me/api_keys"
        answer = httpx2.post(url, auth=auth, data={"name": "script"}).raise_for_status()
        path = zuliprc.with_suffix(".named")
        path.write_text(zuliprc.read_text().replace(auth[1], answer.json()["api_key"]))
        path.chmod(0o600)
        return path


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A new server process for each test."""
    with running_server(tmp_path / "data") as server:
        auth = (OWNER_EMAIL, server.api_key_of(OWNER_EMAIL))
        form = {"full_name": "Helper", "short_name": "helper"}
        httpx2.post(f"{server.site}/api/v1/bots", auth=auth, data=form).raise_for_status()
        owner = server.write_zuliprc(tmp_path / "owner.zuliprc")
        yield Stage(server, owner, server.write_zuliprc(tmp_path / "bot.zuliprc", "helper-bot@keybearer.localhost"))
