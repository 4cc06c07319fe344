"""What an edit changed, marked in the HTML of a message as Zulip's history shows it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import final

MOST_STEPS = 5_000_000
"""Comparisons for all versions in one answer, which take a thread at most about a sixth of a second. Beyond this number
everything counts as replaced.
"""

_TOKEN = re.compile(r"<[^>]*>|[^<\s]+|\s+")


@final
class Marker:
    """Marks the differences between the versions of one message."""

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def marked(self, before: str, after: str) -> str:
        """The HTML of the later version, with added and removed text in spans with Zulip's classes.

        Only the text of removed parts is kept: their tags would not be closed in the later version.
        """
        old, new = _TOKEN.findall(before), _TOKEN.findall(after)
        steps = _steps(old, new)
        if steps > self._left:
            changes = [("replace", 0, len(old), 0, len(new))]
        else:
            self._left -= steps
            found = SequenceMatcher(str.isspace, old, new, autojunk=False).get_opcodes()
            changes = [(str(kind), *(a, b, c, d)) for kind, a, b, c, d in found]
        return "".join(piece for change in changes for piece in _pieces(change, old, new))


def _steps(old: Sequence[str], new: Sequence[str]) -> int:
    """The most that comparing these takes: the pairs of equal words are looked at again for each match. Spaces begin no
    match.
    """
    in_new = Counter(new)
    pairs = sum(number * in_new[word] for word, number in Counter(old).items() if not word.isspace())
    return (pairs + len(old)) * min(len(old), len(new)) + len(new)


def _pieces(change: tuple[str, int, int, int, int], old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    kind, old_from, old_to, new_from, new_to = change
    if kind == "equal":
        yield from new[new_from:new_to]
        return
    removed = "".join(token for token in old[old_from:old_to] if not token.startswith("<"))
    if removed.strip():
        yield f'<span class="highlight_text_deleted">{removed}</span>'
    added = ""
    for token in new[new_from:new_to]:
        if not token.startswith("<"):
            added += token
            continue
        yield _added(added)
        yield token
        added = ""
    yield _added(added)


def _added(text: str) -> str:
    return f'<span class="highlight_text_inserted">{text}</span>' if text.strip() else text
