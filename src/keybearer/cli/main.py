"""The `keybearer` command: which commands there are, and how a run ends."""

from __future__ import annotations

import importlib
import os
import sys
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
    """A command as the list of commands shows it: the heading it is under, and the first line of its help.

    `module` is where the command is, under its own name. It is loaded when the command runs or shows its help.
    """

    heading: str
    module: str
    summary: str


ABOUT, CALLS, SERVER, MORE = "Your credentials", "Calls to the server", "Running a server", "More"

COMMANDS: dict[str, ListedCommand] = {
    "login": ListedCommand(ABOUT, "keybearer.cli.commands.login", "Get your API key from SITE and write the zuliprc."),
    "logout": ListedCommand(ABOUT, "keybearer.cli.commands.logout", "Remove the zuliprc in force."),
    "whoami": ListedCommand(
        ABOUT, "keybearer.cli.commands.whoami", "Say which account the credentials in force are of."
    ),
    "regenerate": ListedCommand(
        ABOUT, "keybearer.cli.commands.regenerate", "Make a new API key; the old one is refused from then on."
    ),
    "show": ListedCommand(
        ABOUT, "keybearer.cli.commands.show", "Show every setting in force, its origin and what it shadows."
    ),
    "doctor": ListedCommand(
        ABOUT,
        "keybearer.cli.commands.doctor.command",
        "Find what is wrong with the credentials in force, and how to fix it.",
    ),
    "profiles": ListedCommand(
        ABOUT, "keybearer.cli.commands.profiles", "List the profiles and the file that is in force."
    ),
    "install": ListedCommand(ABOUT, "keybearer.cli.commands.install", "Copy a downloaded zuliprc to where programs look for it."),
    "export": ListedCommand(
        ABOUT, "keybearer.cli.commands.export", "Print the credentials in force for another program."
    ),
    "exec": ListedCommand(ABOUT, "keybearer.cli.commands.exec", "Run COMMAND with the credentials in its environment."),
    "api": ListedCommand(CALLS, "keybearer.cli.commands.api", "Make one call of Zulip's API and print its answer."),
    "send": ListedCommand(CALLS, "keybearer.cli.commands.send", "Send one message, to a channel or to people."),
    "messages": ListedCommand(CALLS, "keybearer.cli.commands.messages", "Print messages, the oldest first."),
    "listen": ListedCommand(CALLS, "keybearer.cli.commands.listen", "Print messages as they come, until Ctrl-C."),
    "bot": ListedCommand(CALLS, "keybearer.cli.commands.bot", "List, create and manage your bots."),
    "key": ListedCommand(
        CALLS,
        "keybearer.cli.commands.key",
        "List, make and revoke further API keys: each with a name, scopes and an end.",
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
"""Every command, in the order in which people meet them."""

MEANT = {"--channel": "--to", "--stream": "--to", "--subject": "--topic"}
"""Options that other programs have, with ours for the same."""

TRACEBACK_VARIABLE = "KEYBEARER_TRACEBACK"
"""Set, a fault of the program itself is told with the places in the code that led to it."""


class ListedGroup(click.Group):
    """A group whose commands live in modules of their own; listing and completing them loads none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        row = COMMANDS[cmd_name]
        load = extras.load if row.heading == SERVER else importlib.import_module
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


def _likely(name: str) -> str:
    """The command that was probably meant, as a question; empty where none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only slips need it

    near = get_close_matches(name, COMMANDS, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


@click.group(cls=ListedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="keybearer", message="%(prog)s %(version)s")
def keybearer() -> None:
    """Zulip API keys and zuliprc files: the server that issues them, and what uses them.

    `keybearer COMMAND --help` tells more about a command.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 an expected failure told in one line, 2 wrong usage.

    A signal that stops it gives 128 and its number: 130 after Ctrl-C.
    """
    streams.prepare()
    with stoppable():
        code = _run(arguments)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    """The exit code. What a command returns as a number is its code."""
    try:
        code = keybearer.main(args=arguments, prog_name="keybearer", standalone_mode=False)
        sys.stdout.flush()  # a full disk or a closed pipe shows here, and must not pass for success
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except BrokenPipeError:
        return _without_reader()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a traceback can hold a key
        text, code = _outcome(error, sys.argv[1:] if arguments is None else arguments)
        click.echo(one_line(text), err=True)
    return code if isinstance(code, int) else 0


def _outcome(error: BaseException, arguments: list[str]) -> tuple[str, int]:
    """What to tell of a run that ended in this error, and its exit code."""
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
            reason = error.__cause__ or error  # click makes an Abort of it
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
    """The command that the arguments mean; click does not say so of an option without its value."""
    return f"keybearer {arguments[0]}" if arguments and arguments[0] in COMMANDS else "keybearer"


def _fault(error: BaseException) -> str:
    """A fault of the program itself, by its type and place. Its message stays untold: it may hold anything."""
    import traceback  # noqa: PLC0415 - loading it takes a fifth of a start

    frames = traceback.extract_tb(error.__traceback__)
    if os.environ.get(TRACEBACK_VARIABLE):
        click.echo("".join(traceback.format_list(frames)), err=True, nl=False)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    return (
        f"A fault of Keybearer itself: {type(error).__name__} at {place}. "
        f"Please report it, with what {TRACEBACK_VARIABLE}=1 prints"
    )


def _without_reader() -> int:
    """Whoever read our output has left, as `head` does: not worth a word, and Python's own flush goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
