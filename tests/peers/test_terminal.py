"""zulip-terminal's own sign-in, in a terminal: it asks, fetches the key and writes a zuliprc."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import httpx2

from tests.peers.conftest import Stage
from tests.peers.installing import terminal
from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, clean_environ

PATIENCE = 60.0
SIGN_IN = "from zulipterminal.cli.run import fetch_zuliprc; import sys; fetch_zuliprc(sys.argv[1])"


def answer(descriptor: int, prompt: bytes, line: str) -> None:
    """Wait for the prompt and type a line."""
    seen, deadline = b"", time.monotonic() + PATIENCE
    while prompt not in seen:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, seen
        seen += os.read(descriptor, 4096)
    os.write(descriptor, line.encode() + b"\n")


def sign_in(packages: Path, zuliprc: Path, *answers: tuple[bytes, str]) -> int:
    """Run the sign-in in a terminal of its own, with these answers to its prompts; returns its exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SIGN_IN, str(zuliprc)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        cwd=zuliprc.parent,  # it leaves a log where it is started
        env=clean_environ({"PYTHONPATH": str(packages), "HOME": str(zuliprc.parent)}),
    )
    os.close(theirs)
    try:
        for prompt, line in answers:
            answer(ours, prompt, line)
        return process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_zulip_terminal_signs_in_and_writes_a_file_that_works(stage: Stage, tmp_path: Path) -> None:
    packages = terminal() / "packages"
    zuliprc = tmp_path / "zuliprc"
    code = sign_in(
        packages,
        zuliprc,
        (b"Zulip URL: ", stage.server.site),
        (b"Email: ", OWNER_EMAIL),
        (b"Password: ", "wrong"),
        (b"Email: ", OWNER_EMAIL),
        (b"Password: ", OWNER_PASSWORD),
    )
    assert code == 0
    assert zuliprc.stat().st_mode & 0o777 == 0o600
    key = stage.server.api_key_of(OWNER_EMAIL)
    assert zuliprc.read_text() == f"[api]\nemail={OWNER_EMAIL}\nkey={key}\nsite={stage.server.site}"
    answered = httpx2.get(f"{stage.server.site}/api/v1/users/me", auth=(OWNER_EMAIL, key))
    assert answered.status_code == 200
