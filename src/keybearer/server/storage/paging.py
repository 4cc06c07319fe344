"""Reads one page of a list, and no row that is not on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, and_, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.paging import PER_PAGE, START, Page, Position

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: by an expression that is never NULL, then by id. Without an expression, by id alone.

    `descending` reverses the expression. Equal rows stay in the order of ids.
    """

    id: ColumnElement[int]
    by: ColumnElement[Any] | None = None
    descending: bool = False


async def find_page(
    connection: AsyncConnection,
    statement: Select[Any],
    order: Order,
    position: Position,
    make: Callable[[Row[Any]], T],
    *,
    limit: int = PER_PAGE,
) -> Page[T]:
    """The page of the statement's rows at a position, as `make` makes them from the rows.

    If there is nothing at the position any more, it is the first page. `statement` has the column of ids as `id`.
    """
    is_backwards = position.before is not None
    edge_id = position.before if is_backwards else position.after
    wanted = statement
    if edge_id is not None:
        beyond = await _beyond(connection, statement, order, edge_id, is_backwards=is_backwards)
        if beyond is None:
            return await find_page(connection, statement, order, START, make, limit=limit)
        wanted = statement.where(beyond)
    wanted = wanted.order_by(*_sorted(order, is_backwards=is_backwards)).limit(limit + 1)
    rows = (await connection.execute(wanted)).all()
    if not rows and edge_id is not None:
        return await find_page(connection, statement, order, START, make, limit=limit)
    has_more, shown = len(rows) > limit, rows[:limit]
    if is_backwards:
        shown = shown[::-1]
    return _page(
        shown,
        make,
        has_previous=has_more if is_backwards else edge_id is not None,
        has_next=is_backwards or has_more,
    )


def _page(rows: Sequence[Row[Any]], make: Callable[[Row[Any]], T], *, has_previous: bool, has_next: bool) -> Page[T]:
    return Page(
        [make(row) for row in rows],
        Position(before=rows[0].id) if has_previous else None,
        Position(after=rows[-1].id) if has_next else None,
    )


async def _beyond(
    connection: AsyncConnection, statement: Select[Any], order: Order, edge_id: int, *, is_backwards: bool
) -> ColumnElement[bool] | None:
    """Whether a row is after the edge, or before it if the page is read backwards. None if the list has no such edge:
    the place of a row that is not in the list would say something about it.
    """
    by_id = order.id < edge_id if is_backwards else order.id > edge_id
    if order.by is None:
        return (order.id > edge_id if is_backwards else order.id < edge_id) if order.descending else by_id
    of_edge = statement.with_only_columns(order.by.label("value")).where(order.id == edge_id)
    edge = (await connection.execute(of_edge)).first()
    if edge is None:
        return None
    is_smaller = order.descending is not is_backwards
    return or_(order.by < edge.value if is_smaller else order.by > edge.value, and_(order.by == edge.value, by_id))


def _sorted(order: Order, *, is_backwards: bool) -> Sequence[ColumnElement[Any]]:
    is_descending = order.descending is not is_backwards
    if order.by is None:
        return [order.id.desc() if is_descending else order.id.asc()]
    return [
        order.by.desc() if is_descending else order.by.asc(),
        order.id.desc() if is_backwards else order.id.asc(),
    ]
