"""Asks before another account's zuliprc, or a key that is stored nowhere else, is overwritten."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from keybearer.cli.terminal.output import confirmed
from keybearer.errors import FileError, ResolutionError
from keybearer.store.location import Location
from keybearer.store.resolution import open_location, resolve_file
from keybearer.zuliprc.credentials import same_site
from keybearer.zuliprc.document import Document
from keybearer.zuliprc.resolver import Resolution
from keybearer.zuliprc.sources import Arguments, Environment


def read_standalone(path: Path) -> tuple[Document, Resolution]:
    """A zuliprc that is valid by itself. No variable is read, and no `passcmd` is run.

    Raises ResolutionError.
    """
    opened = open_location(Location(path, named_by="file"))
    assert opened.document is not None
    return opened.document, resolve_file(opened, Arguments({}), Environment({}), os.environ)


def confirm_overwrite(
    target: Path,
    *,
    email: str,
    site: str | None,
    yes: bool,
    otherwise: str = "--yes, or --profile NAME to keep both",
    is_lost: Callable[[Resolution], bool] = lambda there: False,
) -> None:
    """Ask before the file at `target` becomes the zuliprc of this account. A missing file or its own needs no question,
    unless `is_lost` says that a key would be lost with it.

    Raises FileError if the answer is no. Raises KeybearerError, with the option to give `otherwise`, if there is no
    terminal to ask on.
    """
    obstacle = "" if yes else _obstacle(target, email, site, is_lost)
    if obstacle and not confirmed(f"{obstacle} Replace it?", otherwise=otherwise):
        raise FileError(f"{target} was not changed", hint="Name another file, or a --profile")


def _obstacle(target: Path, email: str, site: str | None, is_lost: Callable[[Resolution], bool]) -> str:
    """What would be lost if the target were replaced; empty if nothing."""
    if not os.path.lexists(target):
        return ""
    try:
        there = read_standalone(target)[1]
    except ResolutionError as error:
        return "" if error.kind == "config_not_found" else f"{target} exists and is broken: {error.message}."
    if there.email.casefold() != email.casefold() or not same_site(there.site or "", site or ""):
        return f"{target} is the zuliprc of {there.email} at {there.site or 'no site'}."
    return f"{target} has another API key of {there.email}." if is_lost(there) else ""
