"""The output of commands: tables for people, plain lines for pipes, JSON for programs; the rest goes to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TextIO

import click

from keybearer.cli.terminal.text import json_text, one_line
from keybearer.errors import FileError, KeybearerError
from keybearer.masking import masked_json


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on a terminal, else one line for the headings and for each row, with tabs between cells."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    if is_terminal(sys.stdout):
        _print_rich(headings, cells)
    else:
        for row in (headings, *cells):
            click.echo("\t".join(row))


def print_json(value: object, *, verbatim: bool = False) -> None:
    """Print `value` as indented JSON, with every key masked unless `verbatim`."""
    click.echo(json_text(json.dumps(value if verbatim else masked_json(value), indent=2, ensure_ascii=False)))


def say(text: str) -> None:
    """Print the result of a command, in one line on stdout."""
    click.echo(one_line(text))


def print_file(text: str) -> None:
    """Print the exact text of a file, or input for a program, always in UTF-8."""
    click.echo(text.encode("utf-8", "surrogateescape"), nl=False)


def print_only_copy(text: str) -> None:
    """Like `print_file`, for a text that is nowhere else. Raises FileError unless all of it was written."""
    fault = ""
    try:
        print_file(text)
        sys.stdout.flush()
    except OSError as error:
        fault = error.strerror or type(error).__name__
    if fault:
        raise FileError(f"Standard output cannot be written: {fault}")


def warn(text: str) -> None:
    """Print a warning on stderr. The command continues."""
    label = "warning:"
    if is_terminal(sys.stderr) and not os.environ.get("NO_COLOR") and not is_dumb():
        label = click.style(label, fg="yellow", bold=True)
    click.echo(f"keybearer: {label} {one_line(text)}", err=True)


def note(text: str) -> None:
    """Print on stderr what was done, or what to do next."""
    click.echo(one_line(text), err=True)


def confirmed(question: str, *, otherwise: str) -> bool:
    """Ask on the terminal. Raises KeybearerError, with the option to give `otherwise`, if there is none."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise KeybearerError(f"{one_line(question)} There is no terminal to ask on", hint=f"Give {otherwise}")
    return _ask(question)


def agreed(question: str, *, yes: bool) -> bool:
    """Ask a person at a terminal, unless `yes`. Without a terminal the answer is yes."""
    if yes or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return True
    return _ask(question)


def _ask(text: str) -> bool:
    """Ask the last sentence of `text` in its own line, since a prompt longer than its line is garbled."""
    statement, stop, question = one_line(text).rpartition(". ")
    if stop:
        note(f"{statement}.")
    return click.confirm(question, default=False, err=True)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether `stream` is connected to a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def is_dumb() -> bool:
    """Whether the terminal cannot show colours or move its cursor."""
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


def _print_rich(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box  # noqa: PLC0415 - only who looks at a table waits for it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
