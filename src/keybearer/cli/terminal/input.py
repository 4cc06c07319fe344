"""Reads what a person types at the terminal, and standard input. Passwords and keys are read only here."""

from __future__ import annotations

import sys

import click

from keybearer.cli.terminal.output import is_terminal
from keybearer.cli.terminal.text import one_line
from keybearer.errors import KeybearerError
from keybearer.secret import Secret

LONGEST_INPUT = 64 * 1024


def text_on_stdin() -> str:
    """All of standard input. Raises KeybearerError if it is not UTF-8 text."""
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise KeybearerError("Standard input is not UTF-8 text", hint="Upload it as a file") from None


def secret_on_stdin(option: str, what: str = "password") -> Secret:
    """The one line on standard input; its end is not part of it. Raises UsageError for anything else."""
    content = sys.stdin.buffer.read(LONGEST_INPUT)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise click.UsageError(f"{option}: the {what} is not UTF-8 text.") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret or "\n" in secret:
        raise click.UsageError(f"{option}: standard input must have the {what}, in one line.")
    return Secret(secret)


def read_password(*, from_stdin: bool, option: str) -> Secret:
    """The password on standard input, or asked for at the terminal. One final line end is not part of it.

    Raises UsageError if there is neither.
    """
    if from_stdin:
        return secret_on_stdin(option)
    if not is_terminal(sys.stdin):
        raise click.UsageError(f"Pass the password on standard input, with {option}.")
    return Secret(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def ask_secret(question: str, *, otherwise: str) -> Secret:
    """Ask at the terminal, without an echo. Without a terminal, raises KeybearerError with the hint `otherwise`."""
    _require_terminal(question, otherwise)
    return Secret(click.prompt(one_line(question), hide_input=True, err=True))


def ask(question: str, *, otherwise: str) -> str:
    """Ask at the terminal. Raises as `ask_secret`."""
    _require_terminal(question, otherwise)
    answer: str = click.prompt(one_line(question), err=True)
    return answer.strip()


def _require_terminal(question: str, otherwise: str) -> None:
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise KeybearerError(f"{question}: there is no terminal to ask on", hint=otherwise)
