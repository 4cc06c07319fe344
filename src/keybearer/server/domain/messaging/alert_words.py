"""Alert words: words and phrases that an account wants to be alerted to, and where they stand in a message."""

from __future__ import annotations

import re
from collections.abc import Iterable

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, without_flags
from keybearer.server.domain.messaging.channels import name_key

MAX_LENGTH = 100

_TOKEN = re.compile(r"\w+")
_BEFORE, _AFTER = r"""(?<![^\s(".,';\[*`>])""", r"""(?![^\s)"?:.,';\]!*`])"""
"""What may stand around an alert word in a text, as in Zulip."""

_FENCE = re.compile(r" {0,3}(?P<mark>`{3,}|~{3,})\s*(?P<kind>\w*)")


def cleaned(words: Iterable[str]) -> list[str]:
    """The words without outer blanks, each once in whatever case. Raises Refused for one that is too long."""
    found: dict[str, str] = {}
    for position, word in enumerate(words):
        if len(word) > MAX_LENGTH:
            raise Refused(f"alert_words[{position}] is too long (limit: {MAX_LENGTH} characters)")
        if word.strip():
            found.setdefault(name_key(word.strip()), word.strip())
    return list(found.values())


def first_token(word: str) -> str:
    """The first run of letters and digits in an alert word; a text that contains the word has it among its tokens."""
    match = _TOKEN.search(name_key(word))
    return match[0] if match is not None else ""


def tokens_in(searched: str) -> set[str]:
    """What the `first_token` of every alert word in a searchable text is among."""
    return {"", *_TOKEN.findall(searched)}


def is_in(word: str, searched: str) -> bool:
    """Whether an alert word stands by itself in a searchable text."""
    return re.search(_BEFORE + re.escape(name_key(word)) + _AFTER, searched) is not None


def searchable(text: str) -> str:
    """A message's text in one case, without its fenced blocks of code: nobody is alerted to what stands in them."""
    kept: list[str] = []
    closing = ""
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if closing:
            closing = "" if fence is not None and fence["mark"].startswith(closing) else closing
        elif fence is not None and fence["kind"] not in ("quote", "spoiler"):
            closing = fence["mark"]
        else:
            kept.append(line)
    return name_key("\n".join(kept))


def changed(account_id: int, words: Iterable[str]) -> Event:
    """An account's alert words are these by now."""
    fields = {"type": "alert_words", "alert_words": list(words)}
    return Event("alert_words", fields, OPEN_TO_ALL, without_flags([account_id]))
