"""Narrows as SQL: which messages an account sees through one, and in which order around an anchor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import cache, partial
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    func,
    literal,
    not_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.limits import LENGTH_OF_PERSON, MOST_TEXT
from keybearer.server.domain.messaging.messages import Flag, Message, flag_of
from keybearer.server.domain.messaging.narrows import Term
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import among_given
from keybearer.server.storage.messaging.messages import COLUMNS, MEMBERS, SOURCE, from_row
from keybearer.server.storage.messaging.narrow_terms import ME, Piece, condition_of, has_flag, piece_of, values_of
from keybearer.server.storage.messaging.tables import (
    copies,
    messages,
)
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.visibility import ViewerKind, kind_of, kind_sees_message, viewer_parameters


@dataclass(frozen=True, slots=True)
class View:
    """What an account looks at. The terms have ids instead of names.

    `with_sent` means that the account's own messages are shown even if it was never given a copy.
    """

    viewer: Account
    terms: tuple[Term, ...]
    with_sent: bool = False

    @property
    def account_id(self) -> int:
        """The account's id."""
        return self.viewer.id

    @property
    def shows_uncopied(self) -> bool:
        """Whether it also shows messages of which the account has no copy: if a term asks for channels, or for its own
        messages.
        """
        if self.with_sent and any(
            term.operator == "sender" and term.operand == self.viewer.id and not term.negated for term in self.terms
        ):
            return True
        return any(term.operator in ("channel", "channels") and not term.negated for term in self.terms)


class _Part(Enum):
    """Which messages of a narrow a statement finds."""

    BEFORE = auto()
    UP_TO = auto()
    AFTER = auto()
    SOME = auto()
    FIRST_UNREAD = auto()
    FIRST_SINCE = auto()


class _Shape(NamedTuple):
    """What a statement depends on, apart from numbers and texts."""

    kind: ViewerKind
    pieces: tuple[Piece, ...]
    shows_uncopied: bool
    part: _Part
    only_flags: bool = False

    @property
    def is_usual(self) -> bool:
        """Whether clients often ask like this. There are few such shapes, even if everybody asks in all of them."""
        operators = tuple(piece.operator for piece in self.pieces)
        return (
            (len(operators) < 2 or (len(operators) == 2 and operators[0] == "channel"))
            and not any(piece.negated for piece in self.pieces)
            and all(piece.detail == 1 for piece in self.pieces if piece.operator == "search")
        )


def _parameters(view: View) -> dict[str, object]:
    found: dict[str, object] = dict(viewer_parameters(view.viewer))
    for number, term in enumerate(view.terms):
        found |= values_of(view.account_id, f"operand{number}", term)
    return found


def _statement(view: View, part: _Part, *, only_flags: bool = False) -> Prepared:
    """The statement for a part of the narrow. It is kept if it is a usual one, because building it takes longer than
    answering it. Others are built each time: what narrows consist of has no end, and would fill the memory.
    """
    shape = _Shape(kind_of(view.viewer), tuple(map(piece_of, view.terms)), view.shows_uncopied, part, only_flags)
    return _usual(shape) if shape.is_usual else Prepared(partial(_build, shape))


@cache
def _usual(shape: _Shape) -> Prepared:
    return Prepared(partial(_build, shape))


def _build(shape: _Shape) -> Select[Any]:
    mine = and_(copies.c.message_id == messages.c.id, copies.c.account_id == ME)
    source = SOURCE.outerjoin(copies, mine)
    where = [kind_sees_message(shape.kind)]
    where += [condition_of(f"operand{number}", piece) for number, piece in enumerate(shape.pieces)]
    if not shape.shows_uncopied:
        where.insert(0, copies.c.account_id.is_not(None))
    if shape.part is _Part.FIRST_UNREAD:
        where += [copies.c.account_id.is_not(None), not_(has_flag(Flag.READ))]
        return select(func.min(messages.c.id)).select_from(source).where(*where)
    if shape.part is _Part.FIRST_SINCE:
        where.append(messages.c.sent_at >= bindparam("moment", type_=messages.c.sent_at.type))
        return select(func.min(messages.c.id)).select_from(source).where(*where)
    wanted = select(messages.c.id).select_from(source).where(_IN_PART[shape.part], *where)
    is_older = shape.part in (_Part.BEFORE, _Part.UP_TO)
    limit = None if shape.part is _Part.SOME else bindparam("limit", type_=Integer)
    if shape.only_flags:
        order = messages.c.id.desc() if is_older else messages.c.id.asc()
        return wanted.add_columns(copies.c.flags).order_by(order).limit(limit)
    return _as_many_as_fit(wanted, messages.c.id.desc() if is_older else messages.c.id.asc(), limit)


_ANCHOR = bindparam("anchor", type_=Integer)
_IN_PART = {
    _Part.BEFORE: messages.c.id < _ANCHOR,
    _Part.UP_TO: messages.c.id <= _ANCHOR,
    _Part.AFTER: messages.c.id > _ANCHOR,
    _Part.SOME: among_given(messages.c.id, "message_ids"),
}


def _as_many_as_fit(
    wanted: Select[Any], order: ColumnElement[Any], limit: ColumnElement[int] | None = None
) -> Select[Any]:
    """The first of these messages, as many as there is room for, but always at least one."""
    wanted_ids = wanted.order_by(order).limit(limit).subquery()
    texts = sum(map(func.length, (messages.c.content, messages.c.rendered, messages.c.edits)), start=literal(0))
    size = texts + LENGTH_OF_PERSON * func.coalesce(func.length(MEMBERS), 0)
    sized = (
        select(
            messages.c.id,
            (func.sum(size).over(order_by=order) - size).label("before"),
            func.count().over().label("wanted"),
        )
        .select_from(SOURCE.join(wanted_ids, wanted_ids.c.id == messages.c.id))
        .subquery()
    )
    columns: list[ColumnElement[Any]] = [*COLUMNS, sized.c.wanted]
    return (
        select(*columns)
        .select_from(SOURCE.join(sized, sized.c.id == messages.c.id))
        .where(sized.c.before < MOST_TEXT)
        .order_by(order)
    )


class Flagged(NamedTuple):
    """A message without its text: only its id, and the flags of the account's copy (None: it has no copy)."""

    id: int
    flags: Flag | None


M_co = TypeVar("M_co", bound=Message | Flagged, covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[M_co]):
    """Messages in the requested order. `is_cut` means that there are more than one answer has room for."""

    messages: Sequence[M_co]
    is_cut: bool


async def find_before(
    connection: AsyncConnection, view: View, anchor: int, *, limit: int, inclusive: bool
) -> Page[Message]:
    """The messages before an anchor (and at it), newest first."""
    part = _Part.UP_TO if inclusive else _Part.BEFORE
    return await _page(connection, view, part, anchor=anchor, limit=limit)


async def find_after(connection: AsyncConnection, view: View, anchor: int, *, limit: int) -> Page[Message]:
    """The messages after an anchor, oldest first."""
    return await _page(connection, view, _Part.AFTER, anchor=anchor, limit=limit)


async def find_some(connection: AsyncConnection, view: View, message_ids: Sequence[int]) -> Page[Message]:
    """Those of several messages that are visible through the narrow, oldest first."""
    return await _page(connection, view, _Part.SOME, message_ids=sorted(set(message_ids)))


async def _page(connection: AsyncConnection, view: View, part: _Part, **parameters: object) -> Page[Message]:
    rows = await _statement(view, part).rows(connection, **_parameters(view), **parameters)
    found = await paced(from_row, rows)
    return Page(found, is_cut=bool(rows) and rows[0][-1] > len(found))


async def find_flags_before(
    connection: AsyncConnection, view: View, anchor: int, *, limit: int, inclusive: bool
) -> Page[Flagged]:
    """The same as `find_before`, without reading texts. Such a page is never cut."""
    return await _flags(connection, view, _Part.UP_TO if inclusive else _Part.BEFORE, anchor, limit)


async def find_flags_after(connection: AsyncConnection, view: View, anchor: int, *, limit: int) -> Page[Flagged]:
    """The same as `find_after`, without reading texts. Such a page is never cut."""
    return await _flags(connection, view, _Part.AFTER, anchor, limit)


async def _flags(connection: AsyncConnection, view: View, part: _Part, anchor: int, limit: int) -> Page[Flagged]:
    statement = _statement(view, part, only_flags=True)
    rows = await statement.rows(connection, **_parameters(view), anchor=anchor, limit=limit)
    found = await paced(lambda row: Flagged(row[0], None if row[1] is None else flag_of(row[1])), rows)
    return Page(found, is_cut=False)


async def first_unread(connection: AsyncConnection, view: View) -> int | None:
    """The oldest message in the narrow that the account has not read."""
    (unread,) = await _statement(view, _Part.FIRST_UNREAD).values(connection, **_parameters(view))
    return None if unread is None else int(unread)


async def first_since(connection: AsyncConnection, view: View, moment: datetime) -> int | None:
    """The first message in the narrow that was sent at this moment or later."""
    (first,) = await _statement(view, _Part.FIRST_SINCE).values(connection, **_parameters(view), moment=moment)
    return None if first is None else int(first)
