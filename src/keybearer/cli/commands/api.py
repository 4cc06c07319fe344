"""`keybearer api`: one call of Zulip's API, any endpoint."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.input import text_on_stdin
from keybearer.cli.terminal.output import note, print_json
from keybearer.client.models.base import SECRET_NAMES
from keybearer.errors import APIError, FileError
from keybearer.secret import Secret

STDIN = "-"

_PARAMETER = re.compile(r"([^=@]+)([=@])(.*)", re.DOTALL)
_ABOUT_KEYS = re.compile(r"\bapi_keys?\b|\bfetch_api_key\b")


@click.command()
@click.argument("method")
@click.argument("path")
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@click.option(
    "--upload",
    multiple=True,
    type=click.Path(readable=False),
    metavar="FILE",
    help="Send this file too. Can be given more than once.",
)
@click.option("--reveal", is_flag=True, help="Print API keys and tokens in the answer without a mask.")
@credential_options
def api(
    given: GivenCredentials,
    *,
    method: str,
    path: str,
    parameters: tuple[str, ...],
    upload: tuple[str, ...],
    reveal: bool,
) -> None:
    """Make one call of Zulip's API and print its answer.

    PATH is the part after /api/v1/. A VALUE is sent unchanged, so write lists and objects as JSON. NAME@FILE sends the
    content of a file without its last line end, and NAME@- sends standard input. Use these for secrets, since every
    user of this machine can see a command's arguments.

    \b
        keybearer api GET users/me
        keybearer api POST messages type=stream to=general topic=lunch content=Soup
        keybearer api PATCH settings enable_login_emails=false

    API keys in an answer are masked, unless the path asks for a key. --json changes nothing here.
    """
    values = _values(parameters)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(_opened(name)) for name in upload]
        client = stack.enter_context(connected(given))
        try:
            with waiting_for(client):
                answer = client.request(method, path, values, files=files)
        except APIError as error:
            if error.answer:
                print_json(_printable(dict(error.answer), reveal=reveal), verbatim=True)
            raise
    clear = reveal or _ABOUT_KEYS.search(path) is not None
    print_json(_printable(answer, reveal=clear), verbatim=True)
    if not clear and answer != _printable(answer, reveal=False):
        note("API keys in the answer are masked: --reveal prints them.")


def _values(parameters: Iterable[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in parameters:
        name, value = _parameter(text)
        if name in values:
            raise click.UsageError(f"{name!r} is given twice. Write several values as one JSON list: {name}='[…]'.")
        values[name] = value
    return values


def _parameter(text: str) -> tuple[str, str]:
    found = _PARAMETER.fullmatch(text)
    if found is None:
        raise click.UsageError("A parameter is NAME=VALUE or NAME@FILE.")
    name, sign, value = found.groups()
    return name, value if sign == "=" else _content(value)


def _content(name: str) -> str:
    if name == STDIN:
        return _without_end(text_on_stdin())
    try:
        return _without_end(Path(name).read_bytes().decode())
    except OSError as error:
        raise FileError(f"{name}: {error.strerror}", hint="Check the path") from None
    except UnicodeDecodeError:
        raise FileError(f"{name} is not UTF-8 text", hint="Send it with --upload") from None


def _without_end(text: str) -> str:
    """The text without the line end that editors and `echo` put after a value."""
    return text.removesuffix("\n").removesuffix("\r")


def _opened(name: str) -> Any:  # noqa: ANN401 - a binary file, which typing has several names for
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise FileError(f"{name}: {error.strerror}", hint="Check the path") from None


def _printable(value: object, *, reveal: bool) -> object:
    """The same JSON, with keys and tokens masked unless `reveal`."""
    if isinstance(value, dict):
        return {
            name: Secret(inner).masked()
            if name in SECRET_NAMES and isinstance(inner, str) and not reveal
            else _printable(inner, reveal=reveal)
            for name, inner in value.items()
        }
    return [_printable(inner, reveal=reveal) for inner in value] if isinstance(value, list) else value
