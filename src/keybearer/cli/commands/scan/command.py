"""`keybearer scan`: what is searched, how findings are told, and the exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from keybearer.cli.commands.scan.places import LocatedLeak, Search
from keybearer.cli.commands.scan.recognition import ALLOWED, KINDS
from keybearer.cli.commands.scan.repositories import search_history, search_staged, top_of
from keybearer.cli.commands.scan.trees import search_path, search_readable
from keybearer.cli.options import json_option
from keybearer.cli.terminal.output import note, print_json, warn
from keybearer.cli.terminal.spinner import spinner
from keybearer.cli.terminal.text import one_line
from keybearer.errors import FileError

STDIN = "-"


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(), metavar="PATH...")
@click.option(
    "--history/--no-history",
    default=None,
    help="Search what git keeps of a path too, or not. Without either, the history of every repository whose top is "
    "met is searched.",
)
@click.option("--staged", is_flag=True, help="Search what the next commit would bring, for a hook of git.")
@click.option("--allow", multiple=True, metavar="FINGERPRINT", help="Pass over this key. Can be given more than once.")
@json_option
def scan(*, paths: tuple[str, ...], history: bool | None, staged: bool, allow: tuple[str, ...], as_json: bool) -> int:
    """Find leaked API keys in files and in git histories.

    PATH is a file, a directory, a git repository, or - for standard input. Keys that Keybearer made are found wherever
    they stand; those of other Zulip servers by what stands around them: a zuliprc, a variable, a call of the API.

    No key is printed, only its last four characters and its fingerprint. The exit code is 1 where a key was found or
    something could not be read, else 0. A line with the comment keybearer:allow is passed over.
    """
    if not paths and not staged:
        raise click.UsageError("Missing argument 'PATH...'. Name what to search, such as . for this directory.")
    with spinner("Searching") as advance:
        search = Search(frozenset(fingerprint.lower() for fingerprint in allow), advance)
        if staged:
            search_staged(search)
        for path in paths:
            _search(path, search, history=history)
    (_print_json if as_json else _print_lines)(search)
    return 1 if search.leaks or search.unread else 0


def _search(text: str, search: Search, *, history: bool | None) -> None:
    if text == STDIN:
        search_readable(sys.stdin.buffer, "(standard input)", search)
        return
    path = Path(text)
    if not text or not path.exists():
        raise FileError(f"{text or 'An empty path'}: There is no such file or directory", hint="Check the path")
    repositories = search_path(path, search)
    if history is False:
        return
    for repository in repositories:
        _search_history(repository, search)
    if history and path.resolve() not in {repository.resolve() for repository in repositories}:
        top = top_of(path if path.is_dir() else path.parent)
        if top is None:
            raise FileError(f"{text}: This is in no git repository", hint="Leave --history out")
        _search_history(top, search, within=path.resolve().relative_to(top.resolve()).as_posix())


def _search_history(repository: Path, search: Search, *, within: str = "") -> None:
    try:
        search_history(repository, search, within=within)
    except FileError as error:
        search.skip(str(repository), str(error))


def _print_lines(search: Search) -> None:
    for located in search.leaks:
        owner = " at ".join(filter(None, (located.leak.email, located.leak.site)))
        whose = f" of {owner}" if owner else ""
        click.echo(
            one_line(
                f"{located.place}: {KINDS[located.leak.kind]}{whose}: "
                f"{located.leak.key.masked()} (fingerprint {located.fingerprint})"
            )
        )
    for unread in search.unread:
        warn(f"not searched: {unread}")
    if search.leaks:
        keys = len({located.leak.key for located in search.leaks})
        note(
            f"{_count(keys, 'key')} in {_count(len(search.leaks), 'place')}. Whoever could read them may have them: "
            f"`keybearer regenerate` ends a key. What is meant to be public takes the comment {ALLOWED}, "
            "or --allow with its fingerprint."
        )
    else:
        note(f"No API key found in {_count(search.files, 'file')}.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print_json(search: Search) -> None:
    print_json(
        {
            "findings": [_as_json(located) for located in search.leaks],
            "searched": search.files,
            "not_searched": search.unread,
        }
    )


def _as_json(located: LocatedLeak) -> dict[str, object]:
    return {
        "kind": located.leak.kind,
        "path": located.path or None,
        "line": located.leak.line or None,
        "commit": located.commit or None,
        "repository": located.repository or None,
        "email": located.leak.email or None,
        "site": located.leak.site or None,
        "key": located.leak.key.masked(),
        "fingerprint": located.fingerprint,
    }
