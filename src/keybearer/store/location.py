"""Which file is the active zuliprc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from keybearer.masking import masked_repr
from keybearer.store import profiles
from keybearer.store.home import expand, home_directory
from keybearer.zuliprc.fields import CONFIG_FILE, PROFILE
from keybearer.zuliprc.literal import bare

DEFAULT_NAME = ".zuliprc"
LEGACY_NAME = ".humbugrc"


@masked_repr
class Location(NamedTuple):
    """The absolute path of the active file; None for the default if no home directory is known.

    `named_by` is the argument or the variable that names it (`config_file`, `ZULIP_PROFILE`, ...), empty for the
    default. `profile` is the name of the profile, if it is one.
    """

    path: Path | None
    named_by: str = ""
    profile: str = ""


def locate(config_file: str | os.PathLike[str] | None, profile: str | None, environ: Mapping[str, str]) -> Location:
    """The file that an argument names, else a variable, else `~/.zuliprc`. The disk is not read.

    The order is `config_file`, `profile`, ZULIP_CONFIG, ZULIP_PROFILE. An empty variable is ignored; an empty
    argument is not. Raises ResolutionError of kind `bad_profile_name`.
    """
    if config_file is not None:
        return Location(expand(config_file, environ), CONFIG_FILE.argument)
    if profile is not None:
        return Location(profiles.path_of(profile, environ), PROFILE.argument, profile)
    if named := bare(environ.get(CONFIG_FILE.variable, "")):
        return Location(expand(named, environ), CONFIG_FILE.variable)
    if named := bare(environ.get(PROFILE.variable, "")):
        path = profiles.path_of(named, environ, place=PROFILE.variable)
        return Location(path, PROFILE.variable, named)
    return Location(default_path(environ))


def default_path(environ: Mapping[str, str]) -> Path | None:
    """`~/.zuliprc`; None if no home directory is known."""
    home = home_directory(environ)
    return None if home is None else Path(home, DEFAULT_NAME)
