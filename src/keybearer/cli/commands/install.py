"""`keybearer install`: copy a downloaded zuliprc to the place where programs look for it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from keybearer.api_key import LENGTH, is_well_formed
from keybearer.cli.options import json_option
from keybearer.cli.overwriting import confirm_overwrite, read_standalone
from keybearer.cli.terminal.output import note, print_json, say, warn
from keybearer.errors import FileError
from keybearer.store.files import put_document
from keybearer.store.home import expand, home_directory
from keybearer.store.location import default_path
from keybearer.store.profiles import path_of
from keybearer.zuliprc.document import Document
from keybearer.zuliprc.fields import FIELDS, KEY, LOCATORS, PROFILE
from keybearer.zuliprc.resolver import Resolution
from keybearer.zuliprc.values import Surroundings, parse_path


@click.command()
@click.argument("file", type=click.Path(readable=False))
@click.option(*PROFILE.options, metavar=PROFILE.metavar, help="Install it as this profile instead of ~/.zuliprc.")
@click.option("--move", is_flag=True, help="Remove FILE after installing it, since it has the key.")
@click.option("--yes", "--force", "yes", is_flag=True, help="Replace another account's zuliprc without asking.")
@json_option
def install(*, file: str, profile: str | None, move: bool, yes: bool, as_json: bool) -> None:
    """Copy a downloaded zuliprc to where programs look for it.

    That is ~/.zuliprc, or the file of a profile. Its mode is 0600. An invalid FILE is refused. Before another account's
    zuliprc is replaced, the command asks. Comments and sections of other programs in the existing zuliprc are kept.
    """
    source = expand(file, os.environ)
    document, found = read_standalone(source)
    target = _target(profile)
    confirm_overwrite(target, email=found.email, site=found.site, yes=yes)
    put_document(target, _standing_alone(document, source))
    moved = move and not _same(source, target)
    if moved:
        behind = source.resolve()
        source.unlink()
        behind.unlink(missing_ok=True)  # if FILE is a link, the key is in its target
    _report(found, source, target, moved=moved, as_json=as_json)


def _target(profile: str | None) -> Path:
    path = default_path(os.environ) if profile is None else path_of(profile, os.environ)
    if path is None:
        raise FileError("There is no home directory to install into", hint="Set HOME, or use --profile")
    return path


def _standing_alone(document: Document, path: Path) -> Document:
    """The document with absolute paths in it, since the file moves to another directory."""
    here = Surroundings(home_directory(os.environ), str(path.parent))
    path_keys = {key for field in FIELDS.values() if field.parser is parse_path for key in field.file_keys}
    return document.with_settings(
        {key: parse_path(text, here) if key in path_keys else text for key, text in document.settings().items()}
    )


def _report(found: Resolution, source: Path, target: Path, *, moved: bool, as_json: bool) -> None:
    for warning in found.warnings:
        if warning.kind not in {
            "readable_by_others",
            "writable_by_others",
        }:  # the mode of the download; the new file has mode 0600
            warn(str(warning))
    if found.origins[KEY.name].name == KEY.name and not is_well_formed(found.api_key.reveal()):
        warn(f"{found.origins[KEY.name]}: The key is not {LENGTH} letters and digits, as the keys of Zulip are")
    if as_json:
        print_json({"file": str(target), "email": found.email, "site": found.site, "removed": moved})
    else:
        say(f"{target}: {found.email} at {found.site or 'no site'}")
    if not moved and not _same(source, target):
        note(f"The key is also still in {source}: remove that file, or use --move.")
    for locator in LOCATORS:
        if (named := os.environ.get(locator.variable)) and not (locator is PROFILE and target.stem == named):
            note(f"{locator.variable} is set, so programs read the file that it names instead of this one.")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
