"""The `keybearer` command: the list of commands, and the exit code of a run."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import click

from keybearer import extras
from keybearer._version import __version__
from keybearer.cli.terminal import streams
from keybearer.cli.terminal.signals import Terminated, stoppable
from keybearer.cli.terminal.text import one_line
from keybearer.errors import KeybearerError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class ListedCommand(NamedTuple):
    """A command in the list of commands: its heading, and the first line of its help.

    `module` has the command under its own name. It is loaded when the command runs or shows its help.
    """

    heading: str
    module: str
    summary: str


ABOUT, CALLS, SERVER, MORE = "Your credentials", "Calls to the server", "Running a server", "More"

COMMANDS: dict[str, ListedCommand] = {
    "login": ListedCommand(ABOUT, "keybearer.cli.commands.login", "Get your API key from SITE and write the zuliprc."),
    "logout": ListedCommand(ABOUT, "keybearer.cli.commands.logout", "Remove the active zuliprc."),
    "whoami": ListedCommand(ABOUT, "keybearer.cli.commands.whoami", "Show the account of the active credentials."),
    "regenerate": ListedCommand(
        ABOUT,
        "keybearer.cli.commands.regenerate",
        "Replace the API key with a new one. The old one is refused at once.",
    ),
    "show": ListedCommand(
        ABOUT, "keybearer.cli.commands.show", "Show every active setting, its origin and what it shadows."
    ),
    "doctor": ListedCommand(
        ABOUT,
        "keybearer.cli.commands.doctor.command",
        "Find what is wrong with the active credentials, and how to fix it.",
    ),
    "profiles": ListedCommand(ABOUT, "keybearer.cli.commands.profiles", "List the profiles and the active file."),
    "install": ListedCommand(
        ABOUT, "keybearer.cli.commands.install", "Copy a downloaded zuliprc to where programs look for it."
    ),
    "export": ListedCommand(
        ABOUT, "keybearer.cli.commands.export", "Print the active credentials for another program."
    ),
    "exec": ListedCommand(ABOUT, "keybearer.cli.commands.exec", "Run COMMAND with the credentials in its environment."),
    "api": ListedCommand(CALLS, "keybearer.cli.commands.api", "Make one call of Zulip's API and print its answer."),
    "send": ListedCommand(CALLS, "keybearer.cli.commands.send", "Send one message, to a channel or to people."),
    "messages": ListedCommand(CALLS, "keybearer.cli.commands.messages", "Print messages, the oldest first."),
    "listen": ListedCommand(CALLS, "keybearer.cli.commands.listen", "Print messages as they arrive, until Ctrl-C."),
    "bot": ListedCommand(CALLS, "keybearer.cli.commands.bot", "List, create and manage your bots."),
    "key": ListedCommand(
        CALLS,
        "keybearer.cli.commands.key",
        "List, create and revoke named API keys, each with scopes and an end.",
    ),
    "completion": ListedCommand(
        MORE, "keybearer.cli.commands.completion", "Print the code that lets your shell complete commands."
    ),
    "scan": ListedCommand(
        MORE, "keybearer.cli.commands.scan.command", "Find leaked API keys in files and in git histories."
    ),
    "serve": ListedCommand(SERVER, "keybearer.cli.commands.serve", "Run the server."),
    "init": ListedCommand(
        SERVER, "keybearer.cli.commands.init", "Set up a server: the data directory, the organization and its owner."
    ),
    "admin": ListedCommand(
        SERVER,
        "keybearer.cli.commands.admin.command",
        "Work on a server's data, on its own machine. The server may be running.",
    ),
}
"""Every command, in the order in which people need them."""

MEANT = {"--channel": "--to", "--stream": "--to", "--subject": "--topic"}
"""Options of other programs, with ours for the same."""

TRACEBACK_VARIABLE = "KEYBEARER_TRACEBACK"
"""If it is set, an internal error is reported with its traceback."""


class ListedGroup(click.Group):
    """A group whose commands are in their own modules. Listing and completing them loads none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        row = COMMANDS[cmd_name]
        load = extras.load if row.heading == SERVER else importlib.import_module
        with nullcontext() if row.module in sys.modules else _keeping_everything():
            command = getattr(load(row.module), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"There is no command {name!r}.{_likely(name)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading in (ABOUT, CALLS, SERVER, MORE):
            rows = [(name, row.summary) for name, row in COMMANDS.items() if row.heading == heading]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - a shell asks for it, people do not

        names = [
            CompletionItem(name, help=row.summary) for name, row in COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


@contextmanager
def _keeping_everything() -> Iterator[None]:
    """Do not look for garbage in the block, nor ever among what it makes.

    Modules are loaded to stay. Looking for garbage meanwhile takes a fifth of the start of the server.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _likely(name: str) -> str:
    """The likely command, as a question; empty if none is similar."""
    from difflib import get_close_matches  # noqa: PLC0415 - only slips need it

    near = get_close_matches(name, COMMANDS, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


@click.group(cls=ListedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="keybearer", message="%(prog)s %(version)s")
def keybearer() -> None:
    """Zulip API keys and zuliprc files: the server that issues them, and the commands that use them.

    `keybearer COMMAND --help` shows more about a command.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 an expected failure that is reported in one line, 2 wrong usage.

    After a signal that stops it, the exit code is 128 plus its number, such as 130 for Ctrl-C.
    """
    streams.prepare()
    with stoppable():
        code = _run(arguments)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    """Run the command line. If a command returns a number, it is the exit code."""
    try:
        code = keybearer.main(args=arguments, prog_name="keybearer", standalone_mode=False)
        sys.stdout.flush()  # a full disk or a closed pipe raises its error here, and is not a success
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except BrokenPipeError:
        return _without_output()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a traceback can hold a key
        text, code = _outcome(error, sys.argv[1:] if arguments is None else arguments)
        click.echo(one_line(text), err=True)
        _drop_unwritten()
    return code if isinstance(code, int) else 0


def _outcome(error: BaseException, arguments: list[str]) -> tuple[str, int]:
    """The message about a run that ended with this error, and its exit code."""
    code = 1
    match error:
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else _path_of(arguments)
            option = error.option_name if isinstance(error, click.NoSuchOption) else ""
            meant = f" Did you mean {MEANT[option]}?" if option in MEANT else ""
            said = f"No such option {option!r}.{meant}" if meant else error.format_message().rstrip()
            text, code = f"{path}: {said} See `{path} --help`", 2
        case click.ClickException():
            text = f"keybearer: {error.format_message()}"
        case click.Abort() | KeyboardInterrupt():
            reason = error.__cause__ or error  # click turns it into an Abort
            text, code = "keybearer: Stopped", 128 + reason.number if isinstance(reason, Terminated) else 130
        case KeybearerError():
            text = f"keybearer: {error}"
        case OSError():
            where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
            text = f"keybearer: {where}{error.strerror or error}. Check the path, its permissions and the disk"
        case _:
            text = f"keybearer: {_fault(error)}"
    return text, code


def _path_of(arguments: list[str]) -> str:
    """The command in the arguments. For an option without its value, click does not name it."""
    return f"keybearer {arguments[0]}" if arguments and arguments[0] in COMMANDS else "keybearer"


def _fault(error: BaseException) -> str:
    """A report of an internal error, with its type and place. It omits the message, which may contain a secret."""
    import traceback  # noqa: PLC0415 - loading it takes a fifth of a start

    frames = traceback.extract_tb(error.__traceback__)
    if os.environ.get(TRACEBACK_VARIABLE):
        click.echo("".join(traceback.format_list(frames)), err=True, nl=False)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    return (
        f"Internal error of Keybearer: {type(error).__name__} at {place}. "
        f"Please report it, with the output of {TRACEBACK_VARIABLE}=1"
    )


def _drop_unwritten() -> None:
    """Drop output that could not be written. Python would try again when it ends, and end with 120."""
    try:
        sys.stdout.flush()
    except OSError:
        _without_output()


def _without_output() -> int:
    """Python's own flush goes to /dev/null. A reader that has closed our output, as `head` does, is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
