"""Pages of long lists: where a page begins, and what is on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a list: after an entry, before an entry, or without either at its beginning. Entries are named by
    their ids.
    """

    after: int | None = None
    before: int | None = None


START = Position()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Consecutive entries of a list. `previous` and `next` are the positions of the pages before and after it, None if
    there is none.
    """

    entries: Sequence[T]
    previous: Position | None = None
    next: Position | None = None

    def with_entries(self, entries: Sequence[U]) -> Page[U]:
        """The same page of a list of other things."""
        return Page(entries, self.previous, self.next)

    @property
    def is_all(self) -> bool:
        """Whether the list has no other entries."""
        return self.previous is None and self.next is None
