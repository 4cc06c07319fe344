"""The reference of the commands, made from the commands themselves.

`python -m tests.cli.reference` writes it again.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from keybearer.cli.commands.show import show
from keybearer.cli.main import ABOUT, CALLS, COMMANDS, MORE, SERVER
from keybearer.cli.main import keybearer as group

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"

INTRODUCTION = """\
# The commands

Made from the help of the commands by `python -m tests.cli.reference`.

Exit codes: 0 done; 1 an expected failure, reported in one line on stderr with what to do next; 2 wrong usage; 130
stopped by Ctrl-C. `scan` also ends with 1 if it has found a key, and `doctor` and `admin check` if they have
found a fault. Only commands whose purpose is to pass on an API key print one.

On a terminal, lists are tables, and long work shows a spinner. In a pipe, output is plain lines with tabs between
columns. `--json` prints JSON. `NO_COLOR` switches colours off. `KEYBEARER_TRACEBACK=1` adds the traceback to the report
of an internal error.
"""

CREDENTIALS = """\
## Options for credentials

Every command that uses credentials takes these. The file is `--config-file`, else `--profile`, else `ZULIP_CONFIG`,
else `ZULIP_PROFILE`, else `~/.zuliprc`. For each setting, an option overrides its variable, and the variable overrides
the file; see [the reference of zuliprc](zuliprc.md).
"""

SHARED = {option.name: option for option in show.params if isinstance(option, click.Option)}
"""The options of a command that has only those for credentials, by name."""


HEADINGS = (ABOUT, CALLS, SERVER, MORE)


def commands_under(heading: str) -> Iterator[tuple[str, click.Command]]:
    """The commands that the help lists under a heading, with their names."""
    for name, row in COMMANDS.items():
        if row.heading == heading:
            command = group.get_command(click.Context(group), name)
            assert command is not None
            yield name, command


def render() -> str:
    """The whole page."""
    parts = [INTRODUCTION, CREDENTIALS, _options(show.params)]
    for heading in HEADINGS:
        parts.append(f"## {heading}\n")
        for name, command in commands_under(heading):
            parts += _about(command, f"keybearer {name}")
    return "\n".join(parts)


def takes_credentials(command: click.Command) -> bool:
    """Whether a command has the options for credentials."""
    return {one.name for one in command.params} >= SHARED.keys()


def own_options(command: click.Command) -> list[click.Option]:
    """The options of a command. Those for credentials are among them only if they mean something else there."""
    options = [one for one in command.params if isinstance(one, click.Option)]
    if not takes_credentials(command):
        return options
    return [one for one in options if one.name not in SHARED or one.help != SHARED[one.name].help]


def _about(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    yield f"### {path}\n\n```text\n{usage}\n```\n\n{_prose(command.help or '')}\n"
    own = own_options(command)
    if takes_credentials(command):
        yield "Takes the [options for credentials](#options-for-credentials).\n"
    if own:
        yield _options(own)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _about(below, f"{path} {name}")


def _prose(text: str) -> str:
    """Help as Markdown. Text that click does not wrap is code."""
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return "\n\n".join(
        f"```text\n{_dedented(block.removeprefix(chr(8)))}\n```" if block.startswith("\b") else block
        for block in blocks
    )


def _dedented(text: str) -> str:
    lines = text.strip("\n").splitlines()
    indentation = min(len(line) - len(line.lstrip()) for line in lines)
    return "\n".join(line[indentation:] for line in lines)


def _options(parameters: list[click.Parameter] | list[click.Option]) -> str:
    rows = [_option(one) for one in parameters if isinstance(one, click.Option)]
    return "\n".join(["| option | |", "|---|---|", *rows, ""])


def _option(option: click.Option) -> str:
    """A row of a table, with the default and what else `--help` adds. A bar within a cell is escaped."""
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    value = ""
    if not option.is_flag and not option.count:
        choices = option.type.choices if isinstance(option.type, click.Choice) else ()
        value = f" `{'|'.join(map(str, choices)) or option.metavar or option.type.name.upper()}`"
    record = option.get_help_record(click.Context(show))
    meaning = record[1] if record is not None else option.help or ""
    cells = (f"{names}{value}", meaning)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
