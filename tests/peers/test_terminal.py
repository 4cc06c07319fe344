"""zulip-terminal, in a terminal of its own: it signs in, writes a zuliprc, shows, receives and sends messages."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

import keybearer
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


ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][0-9A-Za-z]|\x1b[=>]")
SCREEN = struct.pack("HHHH", 40, 130, 0, 0)
SEND = b"\x04"


class Screen:
    """What a program has written to its terminal, read all the while: one that is not read makes the program wait."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._written = b""
        threading.Thread(target=self._read, daemon=True).start()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._descriptor, keys)

    def wait_for(self, text: str) -> None:
        """Wait until the text was shown."""
        wait_until(lambda: text in self.text(), f"{text!r} on the screen, which shows:\n{self.text()[-2000:]}")

    def text(self) -> str:
        """Everything that was shown, without the control sequences."""
        return ESCAPES.sub(b"", self._written).decode(errors="replace")

    def _read(self) -> None:
        try:
            while chunk := os.read(self._descriptor, 65536):
                self._written += chunk
        except OSError:  # how a terminal says that its program is gone
            return


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Look every now and then until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


@contextmanager
def running_terminal(packages: Path, zuliprc: Path) -> Iterator[Screen]:
    """zulip-terminal on this zuliprc, as outside of a test: told of one, it does in turn what it else does at once."""
    environ = clean_environ(
        {"PYTHONPATH": str(packages), "HOME": str(zuliprc.parent), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    )
    del environ["PYTEST_CURRENT_TEST"]
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, SCREEN)
    process = subprocess.Popen(
        [sys.executable, "-c", "from zulipterminal.cli.run import main; main()", "-c", str(zuliprc)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        cwd=zuliprc.parent,
        env=environ,
    )
    os.close(theirs)
    try:
        yield Screen(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_zulip_terminal_shows_receives_and_sends_messages(stage: Stage) -> None:
    packages = terminal() / "packages"
    with (
        keybearer.Client(config_file=stage.bot) as bot,
        keybearer.Client(config_file=stage.owner) as owner,
        running_terminal(packages, stage.with_named_key(stage.owner)) as screen,
    ):
        bot.send_message(type="stream", to="general", topic="greetings", content="a first word")
        screen.wait_for("a first word")
        said = 0

        def hears_another_word() -> bool:
            # It may have drawn its screen before it listens, so what is said once may have been said too early.
            nonlocal said
            said += 1
            bot.send_message(type="stream", to="general", topic="greetings", content=f"another word {said}")
            time.sleep(1)
            return "another word" in screen.text()

        wait_until(hears_another_word, "another word on the screen")

        screen.type(b"c")
        screen.wait_for("▶")
        screen.type(b"general\t")
        screen.wait_for("# general                              ▶")
        screen.type(b"greetings\t")
        screen.wait_for("▶ greetings")
        screen.type(b"said in the terminal" + SEND)

        def is_there() -> bool:
            found = owner.get_messages(anchor="newest", num_before=5, num_after=0, apply_markdown=False)
            return any(message.content == "said in the terminal" for message in found.messages)

        wait_until(is_there, "the message that was typed")
