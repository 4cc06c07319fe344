"""The home directory, the configuration directory, and paths that begin with `~`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from keybearer.zuliprc.values import Surroundings, parse_path

if sys.platform != "win32":
    import pwd


def home_directory(environ: Mapping[str, str]) -> str | None:
    """HOME, or if that is unset or empty, the home directory that the system knows; None if it knows none."""
    if home := environ.get("HOME"):
        return home
    if sys.platform == "win32":
        return environ.get("USERPROFILE") or None
    try:
        return pwd.getpwuid(os.getuid()).pw_dir or None
    except KeyError:  # an account without a name, as in some containers
        return None


def configuration_directory(environ: Mapping[str, str]) -> Path:
    """`$XDG_CONFIG_HOME/zulip`. As the XDG specification requires, a relative path is ignored."""
    named = environ.get("XDG_CONFIG_HOME", "")
    if named and Path(named).is_absolute():
        return Path(named, "zulip")
    return Path(home_directory(environ) or "/", ".config", "zulip")


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """The directories that paths in arguments and variables are relative to."""
    try:
        directory = str(Path.cwd())
    except FileNotFoundError:  # the working directory was deleted
        directory = "/"
    return Surroundings(home_directory(environ), directory)


def expand(path: str | os.PathLike[str], environ: Mapping[str, str]) -> Path:
    """An absolute path. `~` is the home directory, `~name` that of a user; other paths are in the working directory."""
    text = os.fspath(path)
    if text.startswith("~") and text[1:2] not in {"", "/", "\\"}:
        with contextlib.suppress(RuntimeError):  # there is no such user, so it may be the name of a file
            return Path(text).expanduser()
    return Path(parse_path(text, surroundings(environ)))
