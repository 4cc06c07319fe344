"""Profiles: one zuliprc per account, `NAME.zuliprc` in the directory `zulip` of the user's configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from keybearer.errors import ResolutionError
from keybearer.masking import masked_repr
from keybearer.store.home import configuration_directory

SUFFIX = ".zuliprc"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


@masked_repr
class ProfileFile(NamedTuple):
    """A profile that exists. Its file may be broken."""

    name: str
    path: Path


def path_of(name: str, environ: Mapping[str, str], *, place: str = "argument profile") -> Path:
    """The path of a profile's zuliprc, whether it exists or not. `place` is what named the profile, for the error.

    Raises ResolutionError of kind `bad_profile_name`.
    """
    if not _NAME.match(name):
        raise ResolutionError(
            "bad_profile_name",
            "The name of a profile is letters, digits, '.', '_' and '-', and begins with a letter or digit",
            place=place,
            hint="See `keybearer profiles`",
        )
    return configuration_directory(environ) / f"{name}{SUFFIX}"


def list_profiles(environ: Mapping[str, str]) -> list[ProfileFile]:
    """Every profile, by name. Empty if the directory is missing or cannot be read."""
    try:
        paths = sorted(configuration_directory(environ).glob(f"*{SUFFIX}"))
    except OSError:
        return []
    return [ProfileFile(name, path) for path in paths if _NAME.match(name := path.name.removesuffix(SUFFIX))]
