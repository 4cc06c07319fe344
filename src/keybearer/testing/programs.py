"""Programs that a test runs beside the server, mostly bots."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

STOPS_WITHIN = 10.0
"""Seconds that a program has to stop before it is killed."""

LOOK_EVERY = 0.02


@dataclass
class Program:
    """A program that a test runs. `output` is what it writes to standard output and standard error.

    `inputs` are its command and the environment that the test added.
    """

    process: subprocess.Popen[bytes]
    file: IO[bytes]
    inputs: tuple[str, ...] = ()
    _kept: str | None = None

    @property
    def output(self) -> str:
        """What it has written so far; after it was stopped, all that it wrote."""
        if self._kept is not None:
            return self._kept
        with open(self.file.name, encoding="utf-8", errors="replace") as written:  # noqa: PTH123  an open file's name
            return written.read()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self.process.poll() is None

    def end(self) -> str:
        """How a program has ended, in words: its exit code and its output."""
        return f"exit code {self.process.returncode}, and this output:\n{self.output or '(none)'}"

    def keep_output(self) -> None:
        """Keep the output: its file is about to be removed."""
        self._kept = self.output

    def wait_for_output(self, text: str, *, timeout: float = 10.0) -> str:
        """Wait until it has written `text`; returns all output. Raises AssertionError after `timeout` seconds."""
        ends = time.monotonic() + timeout
        while text not in self.output:
            if time.monotonic() > ends or not self.is_running:
                assert text in self.output, f"the program did not write {text!r}, but:\n{self.output}"
                break
            time.sleep(LOOK_EVERY)
        return self.output

    def wait(self, *, timeout: float = 10.0) -> int:
        """Wait until it ends by itself; returns its exit code. Raises AssertionError after `timeout` seconds."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the program still runs; it wrote:\n{self.output}") from None


@contextmanager
def running(command: Sequence[str | os.PathLike[str]], environ: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Run a program while the block runs, and stop it at the end.

    It gets this process's environment without the variables for Zulip credentials, so that a test never uses your own.
    It connects to servers on this machine without the proxies of the environment.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZULIP_")}
    for name in ("NO_PROXY", "no_proxy"):  # some programs read only the upper-case name, most read the lower-case one
        inherited[name] = ",".join(filter(None, [inherited.get(name), "127.0.0.1", "localhost"]))
    words = [os.fspath(part) for part in command]
    with tempfile.NamedTemporaryFile(prefix="keybearer-program-") as file:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**inherited, "PYTHONUNBUFFERED": "1", **(environ or {})},
        )
        program = Program(process, file, (*words, *(environ or {}).values()))
        try:
            yield program
        finally:
            _stop(process)
            program.keep_output()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
