"""Emoji by name: Zulip's own table and, for names that it lacks, the names that rich knows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from rich.emoji import Emoji, NoEmoji
from zulip_emoji_mapping.emoji_names import EMOJI_NAME_MAPS

from keybearer.server.domain.errors import Refused

_NAME = re.compile(r"[\w+-]{1,64}")
_PICTURE = "\ufe0f"
_BEGINS = re.compile(
    "[\u2000-\u206f\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\u3000-\u303f\u3200-\u32ff\U0001f100-\U0001fa9f]"
)
"""The characters with which an emoji in a text can begin."""

_KINDS = ("unicode_emoji", "zulip_extra_emoji")
_NAMES: dict[str, str] = {code: entry["canonical_name"] for code, entry in EMOJI_NAME_MAPS.items()}
_CODES: dict[str, str] = {
    name: code for code, entry in EMOJI_NAME_MAPS.items() for name in (entry["canonical_name"], *entry["aliases"])
}
NAMES_OF_CODES: Mapping[str, Sequence[str]] = {
    code: [name for name in (entry["canonical_name"], *entry["aliases"]) if _CODES[name] == code]
    for code, entry in EMOJI_NAME_MAPS.items()
}
"""The names for each code of Zulip's table, the canonical one first."""


@lru_cache(maxsize=1024)
def code_of(name: str) -> str | None:
    """The code of an emoji, as Zulip writes it: code points in hexadecimal, separated by hyphens. None if it is not an
    emoji.
    """
    if name == "zulip":
        return "zulip"
    if name in _CODES:
        return _CODES[name]
    try:
        text = str(Emoji(name))
    except NoEmoji:
        return None
    return _code_of_text(text)


def name_of(text: str) -> tuple[str, str] | None:
    """The code and Zulip's first name of an emoji that is written as a character. None for anything else."""
    code = _code_of_text(text)
    return (code, _NAMES[code]) if code in _NAMES else None


def _code_of_text(text: str) -> str:
    """Zulip leaves out the character that requests a picture."""
    return "-".join(f"{ord(character):x}" for character in text if character != _PICTURE)


def _written() -> re.Pattern[str]:
    texts = ["".join(chr(int(part, 16)) for part in code.split("-")) for code in _NAMES]
    chosen = sorted((text for text in texts if _BEGINS.match(text)), key=len, reverse=True)
    return re.compile(f"(?:{'|'.join(map(re.escape, chosen))}){_PICTURE}?")


WRITTEN = _written()
"""An emoji that is written in a text as a character, longest first. Digits and letters in boxes stay text, as in
Zulip.
"""


def checked_emoji(name: str, code: str | None, kind: str | None) -> tuple[str, str]:
    """The code and kind of a reaction's emoji. Raises Refused with Zulip's words.

    A code that a client sends must be in Zulip's table and belong to the name, as in Zulip's `check_emoji_request`.
    """
    if kind is not None and kind not in _KINDS:
        raise Refused("Invalid emoji type.")
    if not _NAME.fullmatch(name):
        raise Refused("Invalid characters in emoji name")
    known = code_of(name)
    if code is None:
        if known is None:
            raise Refused(f"Emoji '{name}' does not exist")
        code = known
    elif code != known:
        raise Refused(
            "Invalid emoji name." if code in _NAMES and kind != "zulip_extra_emoji" else "Invalid emoji code."
        )
    return code, "zulip_extra_emoji" if code == "zulip" else "unicode_emoji"
