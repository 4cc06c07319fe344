"""A shell on a terminal, like that of a reader."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PATIENCE = 60.0
"""Seconds that a command may take."""

WIDTH = 220
_SHELL = """
trap : INT
status=0
restore() {{ return $status; }}
while IFS= read -r -d '' command <&{commands}; do
  restore
  eval "$command" {commands}<&- {statuses}>&-
  status=$?
  printf '\\0'
  printf '%s ' $status >&{statuses}
done
"""
_SPINNER = re.compile(r"^[\u2801-\u28ff] .*\n?", re.MULTILINE)
"""The line of a spinner, which is removed again."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|[^\n]*\r(?!\n)|\r")


class Terminal:
    """A terminal with a shell in it, which keeps its directory and its variables from one command to the next."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
        reading_commands, self._commands = os.pipe()
        self._statuses, writing_statuses = os.pipe()
        script = _SHELL.format(commands=reading_commands, statuses=writing_statuses)
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "bash", "--norc", "--noprofile", "-c", script],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=directory,
            env={**environ, "TERM": "xterm", "NO_COLOR": "1"},
            pass_fds=(reading_commands, writing_statuses),
        )
        for descriptor in (slave, reading_commands, writing_statuses):
            os.close(descriptor)
        self._shown = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # on Linux, this means that the other end is closed
                return
            if not data:
                return
            self._shown += data

    @property
    def shown(self) -> str:
        """Its output since the last command started."""
        text = _CONTROL.sub("", self._shown.decode(errors="replace").replace("\r\n", "\n"))
        return _SPINNER.sub("", text.replace("\0", ""))

    def start(self, command: str) -> None:
        """Start a command."""
        self._shown = b""
        os.write(self._commands, command.encode() + b"\0")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def wait_until(self, is_there: Callable[[str], bool]) -> bool:
        """Wait for an output; False if the command ends or takes too long without it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if is_there(self.shown):
                return True
            if select.select([self._statuses], [], [], 0)[0]:
                self._read_to_the_end()
                return is_there(self.shown)
            time.sleep(0.01)
        return False

    def finish(self) -> int:
        """Wait for the end of the command; returns its status. Raises TimeoutError."""
        if not select.select([self._statuses], [], [], PATIENCE)[0]:
            raise TimeoutError(f"the command does not end; the terminal shows:\n{self.shown}")
        status = int(os.read(self._statuses, 16).decode())
        self._read_to_the_end()
        return status

    def _read_to_the_end(self) -> None:
        """Wait until the other thread has read all output of a command: the shell writes a NUL after it."""
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._shown and time.monotonic() < deadline:
            time.sleep(0.002)

    def close(self) -> None:
        """End the shell and its programs."""
        os.close(self._commands)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._thread.join(5)
        os.close(self._master)
        os.close(self._statuses)
