"""Lists of API keys: which keys, and a page of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from keybearer.server.domain.paging import START, Position

ENDS_SOON = timedelta(days=30)


class KeyKind(Enum):
    """The keys that a list can contain, as the query of a page names them."""

    ALL = ""
    NAMED = "named"
    UNUSED = "unused"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """The live keys of a kind that have a text in their name, or in the name or shown email of their holder."""

    kind: KeyKind = KeyKind.ALL
    text: str = ""
    position: Position = START
