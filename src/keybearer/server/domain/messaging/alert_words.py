"""Alert words: words and phrases that an account wants to be alerted to, and where they occur in a message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import final

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, without_flags
from keybearer.server.domain.messaging.channels import name_key

MAX_LENGTH = 100

_TOKEN = re.compile(r"\w+")
_BEFORE, _AFTER = frozenset("""(".,';[*`>"""), frozenset(""")"?:.,';]!*`""")
"""The characters, besides blanks, that may stand before and after an alert word in a text, as in Zulip."""

_PIECE = re.compile(r"\s{1,200}|\S{1,200}")
_FENCE = re.compile(r" {0,3}(?P<mark>`{3,}|~{3,})\s*(?P<kind>\w*)")


def cleaned(words: Iterable[str]) -> list[str]:
    """The words without surrounding blanks, each only once regardless of case. Raises Refused for one that is too
    long."""
    found: dict[str, str] = {}
    for position, word in enumerate(words):
        if len(word) > MAX_LENGTH:
            raise Refused(f"alert_words[{position}] is too long (limit: {MAX_LENGTH} characters)")
        if word.strip():
            found.setdefault(name_key(word.strip()), word.strip())
    return list(found.values())


def first_token(word: str) -> str:
    """The first run of letters and digits in an alert word. A text that contains the word has this run among its
    tokens."""
    match = _TOKEN.search(name_key(word))
    return match[0] if match is not None else ""


def tokens_in(searched: str) -> set[str]:
    """The tokens of a searchable text. They include the `first_token` of every alert word in it."""
    return {"", *_TOKEN.findall(searched)}


@final
class WordsIn:
    """The words and phrases that stand by themselves in a searchable text.

    What it takes to find those of one length does not depend on how many words somebody looks for.
    """

    def __init__(self, searched: str) -> None:
        self._searched = searched
        before = enumerate(searched, start=1)
        self._starts = [0, *(place for place, each in before if each in _BEFORE or each.isspace())]
        self._ends = {place for place, each in enumerate(searched) if each in _AFTER or each.isspace()}
        self._ends.add(len(searched))

    def of_length(self, length: int) -> set[str]:
        """Those with this number of characters."""
        text = self._searched
        return {text[start : start + length] for start in self._starts if start + length in self._ends}


def searchable(text: str) -> str:
    """A message's text in lower case, without fenced code blocks: nobody is alerted to words in those."""
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
    # In pieces, because normalizing takes time that grows with the square of the length.
    return "".join(map(name_key, _PIECE.findall("\n".join(kept))))


def changed(account_id: int, words: Iterable[str]) -> Event:
    """The event for the current alert words of an account."""
    fields = {"type": "alert_words", "alert_words": list(words)}
    return Event("alert_words", fields, OPEN_TO_ALL, without_flags([account_id]))
