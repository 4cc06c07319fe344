"""Shared by all commands on a data directory: they find the directory and run a use case on it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import update_wrapper
from pathlib import Path
from typing import Any, TypeVar

import click

from keybearer.cli.terminal.output import warn
from keybearer.cli.terminal.signals import STOPPING, Terminated, terminate
from keybearer.errors import KeybearerError
from keybearer.server.domain.errors import Refused
from keybearer.server.services.context import Context
from keybearer.server.services.server_data import opened
from keybearer.server.settings import Settings, unknown_variables

T = TypeVar("T")

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="The server's data directory [default: $KEYBEARER_DATA_DIR, else $XDG_DATA_HOME/keybearer].",
)
database_url_option = click.option(
    "--database-url", help="The server's database, if it is not the file in the data directory."
)


def warn_of_unknown_variables() -> None:
    """Warn about variables that look like settings of the server but are not, with the likely correct name."""
    for name, likely in unknown_variables(os.environ).items():
        hint = f": did you mean {likely}?" if likely is not None else ""
        warn(f"{name} is not a setting of Keybearer and has no effect{hint}")


def settings_for(data_dir: Path | None, database_url: str | None) -> Settings:
    """The settings from the environment and the flags. Warns about variables that are not settings."""
    warn_of_unknown_variables()
    return Settings.from_environ(os.environ, data_dir=data_dir, database_url=database_url)


def on_data(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the options `--data-dir` and `--database-url`, which its group has too.

    The command gets the resulting settings as its first argument. Its own options override those of the group. It
    returns the exit code.
    """

    @click.pass_context
    def with_settings(
        context: click.Context, /, *, data_dir: Path | None, database_url: str | None, **options: object
    ) -> int | None:
        group_data_dir, group_database_url = context.obj
        return command(settings_for(data_dir or group_data_dir, database_url or group_database_url), **options)

    return data_dir_option(database_url_option(update_wrapper(with_settings, command)))


def run_on(settings: Settings, use_case: Callable[[Context], Awaitable[T]], *, hint: str = "") -> T:
    """Run a use case on the server's data. Raises KeybearerError, with the hint for what a rule forbids."""

    if not settings.data_dir.is_dir():
        raise KeybearerError(
            f"There is no server data in {settings.data_dir}",
            hint="Name the directory with --data-dir, or set up a server with: keybearer init",
        )

    async def run() -> T:
        async with opened(settings) as context:
            return await use_case(context)

    with report_refusals(hint):
        return run_stoppable(run())


def run_stoppable(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in its own event loop. A stopping signal cancels it, as Ctrl-C does. Raises Terminated.

    An exception from a signal handler can get lost in a callback, and the command would continue.
    """
    numbers = [number for number in STOPPING if signal.getsignal(number) is terminate]
    caught: list[int] = []

    async def until_stopped() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop(number: int) -> None:
            caught.append(number)
            task.cancel()

        with suppress(NotImplementedError):  # Windows has no such handlers, so the exception must be enough
            for number in numbers:
                loop.add_signal_handler(number, stop, number)
        return await work

    try:
        return asyncio.run(until_stopped())
    except asyncio.CancelledError:
        if caught:
            raise Terminated(caught[0]) from None
        raise
    finally:
        for number in numbers:  # the loop has removed its own handlers
            signal.signal(number, terminate)


@contextmanager
def report_refusals(hint: str = "") -> Iterator[None]:
    """Turn the refusal of a rule into an error that the command line reports in one line."""
    try:
        yield
    except Refused as error:
        raise KeybearerError(error.message.rstrip("."), hint=hint) from None
