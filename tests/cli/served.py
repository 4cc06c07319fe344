"""One server for the tests of a module, and people on it, each with a home and a zuliprc."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from argon2 import PasswordHasher

from keybearer.server.domain.accounts import Role
from keybearer.server.services import accounts
from keybearer.server.services.context import Context
from tests.cli.command_line import CommandLine
from tests.server_process import OWNER_EMAIL, RunningServer, running_server

PASSWORD = "a rather good passphrase 8264"

_cheap_hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass(frozen=True)
class Person:
    """A person with an account and a home. `run` runs the command line as this person."""

    email: str
    run: CommandLine
    zuliprc: Path
    password: str = PASSWORD

    @property
    def name(self) -> str:
        """Their full name."""
        return self.email.partition("@")[0].capitalize()


class Town:
    """A running server with people. Each test creates its own people, so no test sees the keys of another."""

    def __init__(self, server: RunningServer, homes: Path) -> None:
        self.server = server
        self._homes = homes
        self._numbers = itertools.count(1)

    @property
    def site(self) -> str:
        return self.server.site

    def stranger(self) -> CommandLine:
        """A person with an empty home and without an account."""
        home = self._homes / f"home{next(self._numbers)}"
        home.mkdir(mode=0o700)
        return CommandLine(home)

    def owner(self) -> Person:
        """The organization's owner, in a new home."""
        return self._settled(OWNER_EMAIL)

    def person(self, role: Role = Role.MEMBER) -> Person:
        """A new person."""
        name = f"person{next(self._numbers)}"

        async def add(context: Context) -> None:
            async with context.change(None) as change:
                await accounts.add(
                    replace(change, now=change.now - timedelta(days=30)),  # a new account may not create bots yet
                    email=f"{name}@example.com",
                    full_name=name.capitalize(),
                    role=role,
                    password_hash=_cheap_hasher.hash(PASSWORD),
                )

        self.server.on_data(add)
        return self._settled(f"{name}@example.com")

    def _settled(self, email: str) -> Person:
        run = self.stranger()
        return Person(email, run, self.server.write_zuliprc(run.home / ".zuliprc", email))


@contextmanager
def town_at(directory: Path) -> Iterator[Town]:
    """A new server in the directory."""
    homes = directory / "homes"
    homes.mkdir()
    with running_server(directory / "data") as server:
        yield Town(server, homes)
