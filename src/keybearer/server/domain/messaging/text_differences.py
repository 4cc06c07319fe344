"""What an edit changed, marked in the HTML of a message as Zulip's history shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

MOST_STEPS = 100_000
"""Pairs of words that are compared for one edit. Beyond this number everything counts as replaced."""

_TOKEN = re.compile(r"<[^>]*>|[^<\s]+|\s+")


def marked(before: str, after: str) -> str:
    """The HTML of the later version, with added and removed text in spans with Zulip's classes.

    Only the text of removed parts is kept: their tags would not be closed in the later version.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    if len(old) * len(new) > MOST_STEPS:
        changes = [("replace", 0, len(old), 0, len(new))]
    else:
        found = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        changes = [(str(kind), *(a, b, c, d)) for kind, a, b, c, d in found]
    return "".join(piece for change in changes for piece in _pieces(change, old, new))


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
