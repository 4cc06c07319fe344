"""A request's parameters as Zulip reads them: form before query, JSON-encoded unless plain text. Unknown ones are
named.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any

import msgspec

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.limits import MOST_ENTRIES, MOST_VALUES
from keybearer.server.http import csrf
from keybearer.server.http.body import Fields
from keybearer.server.http.multipart import UploadedFile

SMALLEST, LARGEST = -(2**31), 2**31 - 1
"""The whole numbers that both databases can store in an integer column."""

_ALWAYS_KNOWN = frozenset({"client", csrf.FIELD})
"""Parameters that every endpoint accepts without reading them: a client's name for itself, and the form's token."""

_decode = msgspec.json.Decoder().decode


class Parameters:
    """The parameters of a request. If one is in both query and form, the form's value counts.

    Each reader names the parameter in its refusal. Parameters that nobody read are unsupported. `files` are the fields
    of uploaded files.
    """

    __slots__ = ("_read", "_texts", "_uploaded", "files")

    def __init__(self, fields: Fields) -> None:
        self._texts = {**fields.query, **fields.form} if fields.form else fields.query
        self._uploaded = fields.files
        self._read: set[str] = set()
        self.files = [file.field for file in fields.files] if fields.files else []

    def uploaded_files(self) -> Sequence[UploadedFile]:
        """The uploaded files, whatever their field names are."""
        self._read.update(self.files)
        return self._uploaded

    @property
    def unsupported(self) -> list[str]:
        """The names that no reader asked for, sorted."""
        if not self._texts and not self.files:
            return []
        return sorted({*self._texts, *self.files} - self._read - _ALWAYS_KNOWN)

    def has(self, name: str) -> bool:
        """Whether the parameter was sent."""
        self._read.add(name)
        return name in self._texts

    def optional_text(self, name: str, *, max_length: int | None = None) -> str | None:
        """A plain text. None if it was not sent."""
        if not self.has(name):
            return None
        return _checked_text(name, self._texts[name], max_length)

    def text(self, name: str, *, max_length: int | None = None) -> str:
        """A plain text that must be present."""
        text = self.optional_text(name, max_length=max_length)
        if text is None:
            raise missing(name)
        return text

    def optional_json(self, name: str, *, most: int = MOST_ENTRIES) -> Any:  # noqa: ANN401  the callers check its type
        """A JSON-encoded value. None if it was not sent. No list or object in it has more than `most` entries."""
        text = self.optional_text(name)
        if text is None:
            return None
        try:
            value = _decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            raise Refused(f"{name} is not valid JSON") from None
        check_decoded(name, text, value, most)
        return value

    def optional_integer(self, name: str) -> int | None:
        """A whole number. None if it was not sent."""
        value = self.optional_json(name)
        if value is None and name not in self._texts:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused(f"{name} is not an integer")
        if not SMALLEST <= value <= LARGEST:
            raise Refused(f"{name} is too {'large' if value > 0 else 'small'}")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number. If it was not sent, the default; without a default, a refusal."""
        value = self.optional_integer(name)
        if value is not None:
            return value
        if default is None:
            raise missing(name)
        return default

    def choice(self, name: str, allowed: Sequence[int]) -> int | None:
        """A whole number from a list. None if it was not sent."""
        value = self.optional_integer(name)
        if value is not None and value not in allowed:
            raise Refused(f"Invalid {name}: Value error, Not in the list of possible values")
        return value

    def optional_boolean(self, name: str) -> bool | None:
        """`true` or `false`. None if it was not sent."""
        value = self.optional_json(name)
        if value is None and name not in self._texts:
            return None
        if not isinstance(value, bool):
            raise Refused(f"{name} is not a boolean")
        return value

    def only(self, name: str, so: bool) -> None:
        """Read a parameter that can have only one value here. Another value is named as unsupported."""
        if self.optional_boolean(name) is not so:
            self.disclaim(name)

    def disclaim(self, *names: str) -> None:
        """Name as unsupported some parameters that were read, but have no effect next to the others."""
        self._read.difference_update(names)

    def optional_json_text(self, name: str, *, max_length: int | None = None) -> str | None:
        """A text that is JSON-encoded on the wire. None if it was not sent."""
        value = self.optional_json(name)
        if value is None and name not in self._texts:
            return None
        if not isinstance(value, str):
            raise Refused(f"{name} is not a string")
        return _checked_text(name, value, max_length)

    def optional_dict(self, name: str) -> dict[str, Any] | None:
        """A JSON object. None if it was not sent."""
        value = self.optional_json(name)
        if value is None and name not in self._texts:
            return None
        if not isinstance(value, dict):
            raise Refused(f"{name} is not a dict")
        return value

    def optional_integers(self, name: str, *, most: int = MOST_ENTRIES) -> list[int] | None:
        """A JSON list of whole numbers, with a limit on their number. None if it was not sent."""
        value = self.optional_json(name, most=most)
        if value is None and name not in self._texts:
            return None
        if not isinstance(value, list):
            raise Refused(f"{name} is not a list")
        for index, each in enumerate(value):
            if not isinstance(each, int) or isinstance(each, bool):
                raise Refused(f"{name}[{index}] is not an integer")
        return value


def check_decoded(name: str, text: str, value: object, most: int = MOST_ENTRIES) -> None:
    """Raise Refused if a value that was decoded from JSON is too large, at any depth.

    That is a list or an object with more than `most` entries, in the words of Zulip's parser; more values than
    `MOST_VALUES`; or a null character, which PostgreSQL cannot store.
    """
    may_hold_nulls = "\\u0000" in text
    # Not by recursion: the decoder accepts deeper values than the interpreter's stack.
    rest = [value]
    left = max(most, MOST_VALUES)
    while rest:
        each = rest.pop()
        left -= 1
        if left < 0:
            raise Refused(f"{name} has too many values (limit: {MOST_VALUES})")
        if isinstance(each, dict | list):
            check_entries(name, each, most)
            rest += each
            if isinstance(each, dict):
                rest += each.values()
        elif may_hold_nulls and isinstance(each, str) and "\x00" in each:
            raise Refused(f"{name} cannot contain null bytes")


def check_entries(name: str, entries: Sized, most: int = MOST_ENTRIES) -> None:
    """Raise Refused, in the words of Zulip's parser, if there are more than `most` entries."""
    if len(entries) > most:
        kind = "Dictionary" if isinstance(entries, dict) else "List"
        raise Refused(f"Invalid {name}: {kind} should have at most {most} items after validation, not {len(entries)}")


def _checked_text(name: str, text: str, max_length: int | None) -> str:
    if "\x00" in text:  # PostgreSQL cannot store it
        raise Refused(f"{name} cannot contain null bytes")
    if max_length is not None and len(text) > max_length:
        raise Refused(f"{name} is too long (limit: {max_length} characters)")
    return text


def missing(name: str) -> Refused:
    """Zulip's refusal for a request that lacks a parameter."""
    return Refused(f"Missing '{name}' argument", code="REQUEST_VARIABLE_MISSING", extra={"var_name": name})
