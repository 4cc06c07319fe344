"""From the text of one setting to its value: the parsers that FIELDS names, and what no value may hold.

No error here says what the text was: it may be the key, pasted into the wrong line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.zuliprc import credentials

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COMMENT = re.compile(r"(?:^|\s)[#;]")
_REFERENCE = re.compile(r"%\([^)]+\)s")
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "‘": "’"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a path is relative to: `home` for `~` (None where there is none), `directory` for the rest."""

    home: str | None
    directory: str


def parse_text(text: str, surroundings: Surroundings) -> str:
    """The text as it is. What cannot be written as UTF-8 is no text: kind `encoding`."""
    if not is_encodable(text):
        raise ResolutionError("encoding", "The value is not UTF-8", hint="Write it anew")
    return text


def parse_secret(text: str, surroundings: Surroundings) -> Secret:
    """The text as a Secret. Zulip's keys have 32 characters, but no length is demanded."""
    return Secret(parse_text(text, surroundings))


def parse_boolean(text: str, surroundings: Surroundings) -> bool:
    """`true` or `false` in any case, blanks around it ignored; anything else is kind `bad_boolean`."""
    word = text.strip().lower()
    if word not in {"true", "false"}:
        raise ResolutionError("bad_boolean", "The value is neither true nor false", hint="Write true or false")
    return word == "true"


def parse_site(text: str, surroundings: Surroundings) -> str:
    """See `normalise_site`."""
    return credentials.normalise_site(parse_text(text, surroundings))


def parse_path(text: str, surroundings: Surroundings) -> str:
    """An absolute path: `~` is the home directory, and the rest is relative to the directory of its source."""
    if surroundings.home is not None and (text == "~" or text.startswith(("~/", "~\\"))):
        return str(PurePath(surroundings.home, text[1:].lstrip("/\\")))
    return str(PurePath(surroundings.directory, text))


def is_encodable(text: str) -> bool:
    """Whether `text` has no lone surrogates, which stand for bytes that were not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def has_control_character(text: str) -> bool:
    """Whether `text` holds a control character or a separator of lines or paragraphs."""
    return _CONTROL.search(text) is not None


def has_quotes_around(text: str) -> bool:
    """Whether quotes enclose the whole of `text`. Some readers keep them, some strip them."""
    return len(text) > 1 and _QUOTES.get(text[0]) == text[-1]


def has_comment(text: str) -> bool:
    """Whether a `#` or `;` begins `text` or follows a blank. Some readers cut there, some take it as it is."""
    return _COMMENT.search(text) is not None


def unescape(text: str) -> str:
    """The value that a file's text stands for: `%%` is `%`, and a lone `%` is itself.

    `%(name)s` is kind `interpolation`: Zulip's Python bindings put another value there, all other readers do not.
    """
    if "%" not in text:
        return text
    if _REFERENCE.search(text.replace("%%", "")):
        raise ResolutionError(
            "interpolation",
            "The value refers to another one by %(name)s",
            hint="Write the value itself; a percent sign that is meant before a parenthesis is written %%",
        )
    return text.replace("%%", "%")


def escape(text: str) -> str:
    """The text of a file that stands for this value, for Zulip's Python bindings too."""
    return text.replace("%", "%%")
