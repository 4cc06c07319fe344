"""The parsers of FIELDS: each turns the text of one setting into its value.

No error shows the text: it may be the key, pasted into the wrong line.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import normalise_site
from keybearer.zuliprc.literal import is_encodable


class Surroundings(NamedTuple):
    """What paths are relative to: `home` for `~` (None if there is none), `directory` for other paths."""

    home: str | None
    directory: str


def parse_text(text: str, surroundings: Surroundings) -> str:
    """The text as it is. Raises ResolutionError of kind `encoding` if it is not UTF-8."""
    if not is_encodable(text):
        raise ResolutionError("encoding", "The value is not UTF-8", hint="Write it as UTF-8")
    return text


def parse_secret(text: str, surroundings: Surroundings) -> Secret:
    """The text as a Secret. Zulip's keys have 32 characters, but other lengths are accepted."""
    return Secret(parse_text(text, surroundings))


def parse_boolean(text: str, surroundings: Surroundings) -> bool:
    """`true` or `false` in any case, without the spaces around it. Anything else is an error of kind `bad_boolean`."""
    word = text.strip().lower()
    if word not in {"true", "false"}:
        raise ResolutionError("bad_boolean", "The value is not true or false", hint="Write true or false")
    return word == "true"


def parse_site(text: str, surroundings: Surroundings) -> str:
    """See `normalise_site`."""
    return normalise_site(parse_text(text, surroundings))


def parse_path(text: str, surroundings: Surroundings) -> str:
    """An absolute path: `~` is the home directory, and the rest is relative to the directory of its source."""
    if surroundings.home is not None and (text == "~" or text.startswith(("~/", "~\\"))):
        return str(PurePath(surroundings.home, text[1:].lstrip("/\\")))
    return str(PurePath(surroundings.directory, text))
