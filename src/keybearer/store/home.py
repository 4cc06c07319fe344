"""The home directory, the directory of configuration, and paths that begin with `~`."""

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
    """HOME, and where that is not set or empty the home that the system knows of; None where it knows none."""
    if home := environ.get("HOME"):
        return home
    if sys.platform == "win32":
        return environ.get("USERPROFILE") or None
    try:
        return pwd.getpwuid(os.getuid()).pw_dir or None
    except KeyError:  # an account without a name, as containers have them
        return None


def configuration_directory(environ: Mapping[str, str]) -> Path:
    """`$XDG_CONFIG_HOME/zulip`. As the XDG specification wants it, a relative path there is as if not set."""
    named = environ.get("XDG_CONFIG_HOME", "")
    if named and Path(named).is_absolute():
        return Path(named, "zulip")
    return Path(home_directory(environ) or "/", ".config", "zulip")


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """What the paths in arguments and variables are relative to."""
    try:
        directory = str(Path.cwd())
    except FileNotFoundError:  # deleted under us
        directory = "/"
    return Surroundings(home_directory(environ), directory)


def expand(path: str | os.PathLike[str], environ: Mapping[str, str]) -> Path:
    """An absolute path: `~` is the home directory, `~name` somebody's; the rest is in the working directory."""
    text = os.fspath(path)
    if text.startswith("~") and text[1:2] not in {"", "/", "\\"}:
        with contextlib.suppress(RuntimeError):  # nobody has that name, so it may be a file's
            return Path(text).expanduser()
    return Path(parse_path(text, surroundings(environ)))
