"""The text of a value in a file, and texts that are refused because programs read them in different ways."""

from __future__ import annotations

import re
import unicodedata

from keybearer.errors import ResolutionError, UnsafeValueError

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COMMENT = re.compile(r"(?:^|\s)[#;]")
_REFERENCE = re.compile(r"%\([^)]+\)s")
_INVISIBLE_AROUND = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "‘": "’"}


def is_encodable(text: str) -> bool:
    """Whether `text` has no lone surrogates, which stand for bytes that were not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def has_control_character(text: str) -> bool:
    """Whether `text` contains a control character or a line or paragraph separator."""
    return _CONTROL.search(text) is not None


def has_quotes_around(text: str) -> bool:
    """Whether `text` is enclosed in quotes. Some programs keep them, some remove them."""
    return len(text) > 1 and _QUOTES.get(text[0]) == text[-1]


def has_comment(text: str) -> bool:
    """Whether a `#` or `;` begins `text` or follows a space. Some programs cut the value there, some do not."""
    return _COMMENT.search(text) is not None


def unescape(text: str) -> str:
    """The value of a file's text: `%%` is `%`, and a single `%` is itself.

    `%(name)s` is an error of kind `interpolation`: Zulip's Python bindings insert another value, other programs do not.
    """
    if "%" not in text:
        return text
    if _REFERENCE.search(text.replace("%%", "")):
        raise ResolutionError(
            "interpolation",
            "The value refers to another one by %(name)s",
            hint="Write the value itself; write a real percent sign before a parenthesis as %%",
        )
    return text.replace("%%", "%")


def escape(text: str) -> str:
    """The text for this value in a file, which Zulip's Python bindings read correctly too."""
    return text.replace("%", "%%")


def bare(text: str) -> str:
    """`text` without the white space and line ends around it, and without invisible characters there."""
    shorter = text.strip().strip(_INVISIBLE_AROUND)
    return shorter if shorter == text else bare(shorter)


def invisible_characters(text: str) -> list[str]:
    """The characters of `text` that cannot be seen, such as a zero-width space, by their numbers: `U+200B`."""
    return [f"U+{ord(one):04X}" for one in dict.fromkeys(text) if unicodedata.category(one) == "Cf"]


def without_invisible(text: str) -> str:
    """`text` without the characters that cannot be seen."""
    return "".join(one for one in text if unicodedata.category(one) != "Cf")


def strip_blanks(text: str) -> str:
    """`text` without the white space around it (any of Unicode's), but with control characters there."""
    stripped, inner = text.strip(), text.strip(" \t")
    return inner if len(stripped) < len(inner) and has_control_character(inner) else stripped


def refuse_control_characters(text: str) -> None:
    """Raise ResolutionError of kind `suspicious_value` if there are any."""
    if has_control_character(text):
        raise _suspicious("has a line break or another control character in it", "Remove it")


def refuse_suspicious(text: str, *, of_file: bool) -> None:
    """Raise ResolutionError of kind `suspicious_value` for text that not all programs take as part of the value.

    Only files have comments (`of_file`). Variables get quotes from files that were written for a shell.
    """
    refuse_control_characters(text)
    if has_quotes_around(text):
        raise _suspicious("has quotes around it, which some programs read as part of it", "Write it without them")
    if of_file and has_comment(text):
        raise _suspicious("has a comment after it, which some programs read as part of it", "Put it in its own line")


def _suspicious(fault: str, hint: str) -> ResolutionError:
    return ResolutionError("suspicious_value", f"The value {fault}", hint=hint)


def refuse_unsafe(key: str, value: str, *, is_command: bool = False) -> None:
    """Raise UnsafeValueError unless `value` would be read back unchanged. The error names the key and not the value.

    A command may contain quotes and hashes.
    """
    if has_control_character(value):
        fault = "contains a line break or another control character"
    elif not is_encodable(value):
        fault = "cannot be written as UTF-8"
    elif not value.strip():
        fault = "is empty"
    elif value != value.strip():
        fault = "begins or ends with a space"
    elif has_quotes_around(value) and not is_command:
        fault = "has quotes around it"
    elif has_comment(value) and not is_command:
        fault = "has a # or ; at its beginning or after a space, where some programs cut it off"
    else:
        return
    raise UnsafeValueError(f"The value for {key} {fault}", hint="A zuliprc cannot contain it")
