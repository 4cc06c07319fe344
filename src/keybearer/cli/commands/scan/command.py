"""The command `keybearer scan`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from keybearer.cli.commands.scan.git import top_of
from keybearer.cli.commands.scan.ignoring import FINGERPRINT
from keybearer.cli.commands.scan.places import Search
from keybearer.cli.commands.scan.reports import print_findings_as_json, print_lines, print_sarif
from keybearer.cli.commands.scan.repositories import search_history, search_staged
from keybearer.cli.commands.scan.revoking import revoke_found
from keybearer.cli.commands.scan.trees import check_path, search_path
from keybearer.cli.options import json_option
from keybearer.cli.terminal.spinner import spinner
from keybearer.errors import FileError

STDIN = "-"
_FORMATS = {"text": print_lines, "json": print_findings_as_json, "sarif": print_sarif}


def _fingerprints(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> frozenset[str]:
    for value in values:
        if not FINGERPRINT.fullmatch(value):
            raise click.BadParameter(
                f"{value!r} is not a fingerprint. It has 8 hexadecimal digits, as the scan prints it."
            )
    return frozenset(map(str.lower, values))


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(), metavar="PATH...")
@click.option(
    "--history/--no-history",
    default=None,
    help="Also search the git history of a path, or do not. The default is to search the history of every repository "
    "whose top directory is searched.",
)
@click.option("--staged", is_flag=True, help="Search the content of the next commit, for a git hook.")
@click.option(
    "--allow",
    multiple=True,
    callback=_fingerprints,
    metavar="FINGERPRINT",
    help="Ignore this key. Can be given more than once.",
)
@click.option(
    "--no-ignore",
    is_flag=True,
    help="Ignore .keybearerignore files and comments: search everything and report every key except those of --allow.",
)
@click.option(
    "--revoke", is_flag=True, help="Ask, then revoke the Keybearer keys that were found, at --site or at your own site."
)
@click.option(
    "--site", metavar="URL", help="The site to which --revoke sends the keys.  [default: the site of your zuliprc]"
)
@click.option("--yes", is_flag=True, help="Revoke without asking.")
@click.option(
    "--format", "form", type=click.Choice(list(_FORMATS)), help="The format of the findings.  [default: text]"
)
@json_option
def scan(
    *,
    paths: tuple[str, ...],
    history: bool | None,
    staged: bool,
    allow: frozenset[str],
    no_ignore: bool,
    revoke: bool,
    site: str | None,
    yes: bool,
    form: str | None,
    as_json: bool,
) -> int:
    """Find leaked API keys in files and in git histories.

    PATH is a file, a directory, a git repository, or - for standard input. Keybearer's keys are found everywhere, also
    in base64 and other encodings. Keys of other Zulip servers are found by the text around them: a zuliprc, a variable,
    a call of the API, an email with a site.

    No key is printed, only its last four characters and its fingerprint. The exit code is 1 if a key was found or
    something could not be read, else 0. A line with the comment keybearer:allow is ignored. So are the entries of a
    file .keybearerignore: paths as in a .gitignore, and keys as fingerprint:1a2b3c4d. No program from a searched
    repository is run.

    With --revoke, anybody who has found a key can revoke it, without an account. Keys are sent to --site, else to the
    site of your own zuliprc, and never to a site that was found beside a key.
    """
    if not paths and not staged:
        raise click.UsageError("Missing argument 'PATH...'. Name what to search, such as . for this directory.")
    if site is not None and not revoke:
        raise click.UsageError("--site needs --revoke: only --revoke sends anything.")
    if as_json and form not in {None, "json"}:
        raise click.UsageError(f"--json and --format {form} cannot be used together.")
    for path in paths:
        if path != STDIN:
            check_path(Path(path) if path else Path("\0"))
    with spinner("Searching") as advance:
        search = Search(allow, advance, exceptions=not no_ignore)
        if staged:
            search_staged(search)
        for path in paths:
            _search(path, search, history=history)
    _FORMATS["json" if as_json else form or "text"](search)
    if revoke:
        revoke_found(search, site, yes=yes)
    return 1 if search.leaks or search.unread else 0


def _search(text: str, search: Search, *, history: bool | None) -> None:
    if text == STDIN:
        search.read(sys.stdin.buffer, "(standard input)", search.rules_for(Path()))
        return
    path = Path(text)
    repositories = search_path(path, search)
    if history is False:
        return
    for repository in repositories:
        _search_history(repository, search)
    if history and path.resolve() not in {repository.resolve() for repository in repositories}:
        top = top_of(path)
        if top is None:
            raise FileError(f"{text}: This is not in a git repository", hint="Omit --history")
        _search_history(top, search, within=path.resolve().relative_to(top).as_posix())


def _search_history(repository: Path, search: Search, *, within: str = "") -> None:
    try:
        search_history(repository, search, within=within)
    except (FileError, OSError) as error:
        search.skip(str(repository), str(error))
