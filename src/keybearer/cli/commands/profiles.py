"""`keybearer profiles`: the accounts that this user has a zuliprc for."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import note, print_json, print_table, warn
from keybearer.errors import ResolutionError
from keybearer.store.home import configuration_directory
from keybearer.store.location import default_path
from keybearer.store.profiles import list_profiles
from keybearer.store.resolution import resolve
from keybearer.zuliprc.fields import PROFILE

IN_FORCE = "*"


@dataclass(frozen=True, slots=True)
class ProfileStatus:
    """A profile, or the default file (`name` empty), and the account in it; `problem` says why there is none."""

    name: str
    in_force: bool
    email: str | None
    site: str | None
    path: str
    problem: str | None


@click.command()
@credential_options
def profiles(given: GivenCredentials) -> None:
    """List the profiles and the active file.

    A profile NAME is the file NAME.zuliprc in the directory zulip of your configuration; --profile and ZULIP_PROFILE
    select one. To create one: keybearer login --profile NAME, or keybearer install FILE --profile NAME.
    """
    chosen = _in_force(given)
    default = default_path(os.environ)
    files = [("", default)] if default is not None and default.exists() else []
    files += [(profile.name, profile.path) for profile in list_profiles(os.environ)]
    rows = [_look(name, path, in_force=chosen is not None and _same(path, chosen)) for name, path in files]
    if chosen is not None and not any(row.in_force for row in rows):
        rows.append(_look("", chosen, in_force=True))
    if given.as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        ["", "profile", "email", "site", "file"],
        [
            [
                IN_FORCE if row.in_force else "",
                row.name or "-",
                row.problem or row.email or "-",
                row.site or "-",
                row.path,
            ]
            for row in rows
        ],
    )
    if not any(row.name for row in rows):
        note(f"There are no profiles in {configuration_directory(os.environ)}.")


def _in_force(given: GivenCredentials) -> Path | None:
    """The active file; None, with a warning, if a variable has an invalid profile name, since that error names us."""
    try:
        return given.locate(os.environ).path
    except ResolutionError as error:
        if given.arguments[PROFILE.argument] is not None:
            raise
        warn(f"{error.place}: {error.message}")
        return None


def _look(name: str, path: Path, *, in_force: bool) -> ProfileStatus:
    """The account in the file itself, without the environment."""
    environ = {variable: value for variable in _SURROUNDINGS if (value := os.environ.get(variable))}
    try:
        resolution = resolve(path, environ=environ)
    except ResolutionError as error:
        return ProfileStatus(name, in_force, None, None, str(path), error.message)
    return ProfileStatus(name, in_force, resolution.email, resolution.site, str(path), None)


_SURROUNDINGS = ("HOME", "USERPROFILE")


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file: `~/.zuliprc` may be a link to a profile."""
    try:
        return one.samefile(other)
    except OSError:
        return one == other
