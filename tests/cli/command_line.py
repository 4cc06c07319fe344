"""Runs the `keybearer` command: in this process, in its own process, and on a terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner

from keybearer.cli.main import main

SCRIPT = str(Path(sys.executable).with_name("keybearer"))

CTRL_D = "\x04"
LONGEST = 60
"""Seconds after which a command counts as hanging."""


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on stderr."""
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


@dataclass(frozen=True)
class CommandLine:
    """Runs commands for a person whose home is `home`, with only `environ` in the environment."""

    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    script: str = SCRIPT

    def __call__(self, *arguments: str, stdin: str = "", **environ: str) -> Finished:
        """Run in this process, which is fast."""
        given = self._environment(environ)
        runner = CliRunner(env={**dict.fromkeys(os.environ.keys() - given.keys()), **given})
        with runner.isolation(input=stdin, env=None) as (out, err, _):
            try:
                main(list(arguments))
            except SystemExit as end:
                code = end.code
            return Finished(int(code or 0), out.getvalue().decode(), err.getvalue().decode())

    def process(self, *arguments: str, stdin: str | bytes = "", cwd: Path | None = None, **environ: str) -> Finished:
        """Run in its own process."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        command, env = [self.script, *arguments], self._environment(environ)
        done = subprocess.run(command, input=data, capture_output=True, cwd=cwd, env=env, timeout=LONGEST, check=False)
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    def on_terminal(
        self, *arguments: str, answers: Mapping[str, str] | None = None, patience: float = 0.0, **environ: str
    ) -> Finished:
        """Run on a terminal. When a question appears, type its answer and Enter after `patience` seconds. With Ctrl-D
        at the end of an answer, Enter is not typed. `out` is everything that the terminal showed.
        """
        waiting = dict(answers or {})
        shown = ""
        pid, terminal = pty.fork()
        if pid == 0:
            environment = {"TERM": "xterm", **self._environment(environ)}
            os.execve(self.script, [self.script, *arguments], environment)  # noqa: S606 - no shell is wanted
        try:
            deadline = time.monotonic() + LONGEST
            while data := _read(terminal, deadline):
                shown += data
                for question in [one for one in waiting if one in shown]:
                    time.sleep(patience)
                    answer = waiting.pop(question)
                    os.write(terminal, (answer if answer.endswith(CTRL_D) else f"{answer}\n").encode())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise
        finally:
            os.close(terminal)
            _, status = os.waitpid(pid, 0)
        assert not waiting, f"never asked: {sorted(waiting)}; shown: {shown!r}"
        return Finished(os.waitstatus_to_exitcode(status), shown, "")

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", **self.environ, **more}


def _read(terminal: int, deadline: float) -> str:
    """The next output of the terminal; empty if its program has ended. Raises TimeoutError at the deadline."""
    remaining = deadline - time.monotonic()
    if remaining <= 0 or not select.select([terminal], [], [], remaining)[0]:
        raise TimeoutError("the command does not end")
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # on Linux, this means that the other end is closed
        return ""
