"""Follows a page from its first block to its last, like a reader.

`python -m tests.docs.reader docs/tutorials/first-bot.md` follows one page and prints the output of the terminals.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.databases import PostgreSQLServer
from tests.docs.blocks import Block, BrowserStep, Document, read
from tests.docs.browser import ADA, PASSWORD, BrowserSession
from tests.docs.servers import Servers, servers_for
from tests.docs.shown import HIDDEN, answers, commands_in, difference, matches
from tests.docs.terminal import Terminal

HOME = "/home/ada"
_LOOKING = "keybearer messages"
"""A command that a reader repeats if the expected output is not shown yet."""

_LOOKS_FOR = 60.0


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Reader:
    """A reader who follows a page, with a home directory. `servers` are for pages that need one."""

    home: Path
    servers: Servers | None = None
    transcript: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._terminals: dict[str, Terminal] = {}
        self._shown: list[str] = []
        self._ports = {"9991": str(free_port()), "9992": str(free_port())}
        self._server = self.servers.main if self.servers else None
        self._stand_ins = {**(self.servers.stand_ins() if self.servers else {}), **self._ports}
        site = (
            self._server.site
            if self._server and self._stand_ins.keys() - self._ports.keys()
            else f"http://127.0.0.1:{self._ports['9991']}"
        )
        self._browser = BrowserSession(site, self.home)

    def follow(self, page: Document) -> None:
        """Carry out a whole page. Raises AssertionError if something differs from the page."""
        self._prepare(page.needs)
        try:
            for step in page.steps:
                if isinstance(step, BrowserStep):
                    self._browser.carry_out(step.name, "\n".join(self._shown))
                elif not step.excuse:
                    self._do(page, step)
        finally:
            self._browser.close()
            for terminal in self._terminals.values():
                terminal.close()

    def _prepare(self, needs: frozenset[str]) -> None:
        """Create what a page needs: Ada's zuliprc, files with her key and her password, and a leaked key."""
        if "password" in needs:
            (self.home / "password").write_text(PASSWORD)
        if self._server is not None and "zuliprc" in needs:
            self._server.write_zuliprc(self.home / ".zuliprc", ADA)
        if self._server is not None and "leak" in needs:
            self._server.write_zuliprc(self.home / "found.txt")
        if self._server is not None and "key" in needs:
            (self.home / "key").write_text(self._server.api_key_of(ADA))

    def _do(self, page: Document, block: Block) -> None:
        place = f"{page.path.name}:{block.line}"
        if "file" in block.options:
            path = self.home / block.options["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._real(block.text), encoding="utf-8")
            path.chmod(0o600)
        elif block.language == "console":
            self._run_console(place, block)
        elif block.language == "python":
            script = self.home.with_name(f"block-{block.line}.py")
            script.write_text(self._real(block.text), encoding="utf-8")
            self._run(place, self._terminal(""), f"python {script}")
        elif "terminal" in block.options:
            self._wait_for(place, self._terminal(block.options["terminal"]), block.text.splitlines())
        elif "output" in block.options:
            self._compare(place, block.text.splitlines(), self._shown[-1])

    def _run_console(self, place: str, block: Block) -> None:
        terminal = self._terminal(block.options.get("terminal", ""))
        commands = list(commands_in(block.text))
        assert commands, f"{place}: no line begins with '$ '"
        for number, (command, expected) in enumerate(commands):
            runs_on = "terminal" in block.options and number == len(commands) - 1
            fails = number + 1 < len(commands) and commands[number + 1][0] == "echo $?"
            if not command:
                self._interrupt(place, terminal)
            elif runs_on:
                self._start(place, terminal, command, expected)
            else:
                self._run(place, terminal, command, expected, may_fail=fails)

    def _run(
        self, place: str, terminal: Terminal, command: str, expected: Sequence[str] = (), *, may_fail: bool = False
    ) -> None:
        terminal.start(self._real(command))
        for question, answer in answers(expected):
            assert terminal.wait_until(lambda shown, question=question: question in shown), f"{place}: {question}"  # type: ignore[misc]
            terminal.type(f"{PASSWORD if answer == HIDDEN else answer}\n")
        status = terminal.finish()
        self._note(command, terminal.shown)
        assert status == 0 or may_fail, f"{place}: {command}\nexit status {status}\n{self._shown[-1]}"
        if expected:
            if command.startswith(_LOOKING):
                self._look_until(terminal, command, expected)
            self._compare(place, expected, self._shown[-1])

    def _look_until(self, terminal: Terminal, command: str, expected: Sequence[str]) -> None:
        deadline = time.monotonic() + _LOOKS_FOR
        while not matches(expected, self._shown[-1]) and time.monotonic() < deadline:
            terminal.start(self._real(command))
            terminal.finish()
            self._note(command, terminal.shown)

    def _start(self, place: str, terminal: Terminal, command: str, expected: Sequence[str]) -> None:
        terminal.start(self._real(command))
        self._wait_for(place, terminal, expected)
        self._note(command, terminal.shown)

    def _wait_for(self, place: str, terminal: Terminal, expected: Sequence[str]) -> None:
        is_there = terminal.wait_until(lambda shown: matches(["…", *expected, "…"], self._as_on_the_page(shown)))
        assert is_there, difference(place, expected, self._as_on_the_page(terminal.shown))

    def _interrupt(self, place: str, terminal: Terminal) -> None:
        terminal.type("\x03")
        assert terminal.finish() in {0, 130}, place

    def _compare(self, place: str, expected: Sequence[str], shown: str) -> None:
        assert matches(expected, shown), difference(place, expected, shown)

    def _note(self, command: str, shown: str) -> None:
        self._shown.append(self._as_on_the_page(shown))
        self.transcript.append(f"$ {command}\n{self._shown[-1]}")

    def _terminal(self, name: str) -> Terminal:
        if name not in self._terminals:
            ours = str(Path(sys.executable).parent)
            environ = {"HOME": str(self.home), "LANG": "C.UTF-8", "PATH": f"{ours}:{os.environ['PATH']}"}
            environ["KEYBEARER_PORT"] = self._ports["9991"]  # if a page names none
            if self._server is not None:
                environ["KEYBEARER_DATA_DIR"] = str(self._server.data_dir)
                environ["KEYBEARER_TRUSTED_PROXIES"] = "127.0.0.1/32"
            self._terminals[name] = Terminal(self.home, environ)
        return self._terminals[name]

    def _real(self, text: str) -> str:
        return replaced(text, self._stand_ins)

    def _as_on_the_page(self, text: str) -> str:
        shown = replaced(text, {real: on_the_page for on_the_page, real in self._stand_ins.items()})
        return shown.replace(str(self.home), HOME)


def replaced(text: str, by: Mapping[str, str]) -> str:
    """The text with these parts replaced, earlier ones first. What was put in is not replaced again: the port 39991
    contains 9991.
    """
    return re.sub("|".join(map(re.escape, by)), lambda match: by[match[0]], text) if by else text


def main(path: Path) -> None:
    """Follow one page and print the transcript."""
    page = read(path)
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "ada"
        home.mkdir(mode=0o700)
        needs = page.needs | ({"own server"} if "server" in page.needs else set())
        with ExitStack() as stack:
            database_url = ""
            if "PostgreSQL" in needs:
                (Path(directory) / "postgresql").mkdir()
                postgresql = PostgreSQLServer(Path(directory) / "postgresql")
                stack.callback(postgresql.stop)
                postgresql.execute("CREATE DATABASE keybearer")
                database_url = postgresql.url("keybearer")
            servers = stack.enter_context(servers_for(needs, Path(directory), home, database_url))
            _follow(Reader(home, servers), page)


def _follow(reader: Reader, page: Document) -> None:
    try:
        reader.follow(page)
    finally:
        print("\n".join(reader.transcript))


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
