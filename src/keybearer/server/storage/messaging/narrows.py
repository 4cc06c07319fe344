"""Narrows as SQL: which messages an account sees through one, and in which order around an anchor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.limits import MOST_TEXT
from keybearer.server.domain.messaging.channels import name_key
from keybearer.server.domain.messaging.messages import ANY_MENTION, Flag, Message, conversation_key
from keybearer.server.domain.messaging.narrows import RESOLVED_PREFIX, Term
from keybearer.server.domain.messaging.user_topics import TopicPolicy
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import among, holds
from keybearer.server.storage.messaging.messages import COLUMNS, SOURCE, from_row
from keybearer.server.storage.messaging.tables import (
    channels,
    conversation_members,
    conversations,
    copies,
    messages,
    reactions,
    subscriptions,
    user_topics,
)
from keybearer.server.storage.visibility import sees_message

Condition = ColumnElement[bool]


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


def _source(view: View) -> Any:  # noqa: ANN401  SQLAlchemy's own type
    mine = and_(copies.c.message_id == messages.c.id, copies.c.account_id == view.account_id)
    return SOURCE.outerjoin(copies, mine)


def _conditions(view: View) -> list[Condition]:
    found = [sees_message(view.viewer), *(_condition(view, term) for term in view.terms)]
    return found if view.shows_uncopied else [copies.c.account_id.is_not(None), *found]


def _condition(view: View, term: Term) -> Condition:
    found = _CONDITIONS[term.operator](view, term.operand)
    return not_(func.coalesce(found, false())) if term.negated else found


def _has_flag(flag: Flag) -> Condition:
    # A message without a copy counts as read.
    return func.coalesce(copies.c.flags, Flag.READ.value).bitwise_and(flag.value) != 0


def _is(view: View, operand: object) -> Condition:
    return {
        "dm": messages.c.conversation_id.is_not(None),
        "starred": _has_flag(Flag.STARRED),
        "unread": not_(_has_flag(Flag.READ)),
        "mentioned": _has_flag(ANY_MENTION),
        "alerted": _has_flag(Flag.HAS_ALERT_WORD),
        "followed": _has_chosen(view, TopicPolicy.FOLLOWED),
        "resolved": messages.c.topic.startswith(RESOLVED_PREFIX),
        "muted": or_(
            _has_chosen(view, TopicPolicy.MUTED),
            and_(
                exists().where(
                    subscriptions.c.channel_id == messages.c.channel_id,
                    subscriptions.c.account_id == view.account_id,
                    subscriptions.c.is_muted,
                ),
                not_(_has_chosen(view, TopicPolicy.UNMUTED, TopicPolicy.FOLLOWED)),
            ),
        ),
    }[str(operand)]


def _has_chosen(view: View, *policies: TopicPolicy) -> Condition:
    """Whether the account has chosen one of these policies for the message's topic."""
    return exists().where(
        user_topics.c.account_id == view.account_id,
        user_topics.c.channel_id == messages.c.channel_id,
        user_topics.c.topic_key == messages.c.topic_key,
        user_topics.c.policy.in_([policy.value for policy in policies]),
    )


def _has(_view: View, operand: object) -> Condition:
    if operand == "reaction":
        return exists().where(reactions.c.message_id == messages.c.id)
    return {
        "link": messages.c.has_link,
        "image": messages.c.has_image,
        "attachment": messages.c.has_attachment,
    }[str(operand)].is_(True)


def _dm(view: View, operand: object) -> Condition:
    assert isinstance(operand, tuple)
    return conversations.c.members_key == conversation_key({*map(int, operand), view.account_id})


def _dm_including(_view: View, operand: object) -> Condition:
    assert isinstance(operand, tuple)
    wanted = {*map(int, operand)}
    members = conversation_members.c
    having_all = (
        select(members.conversation_id)
        .where(among(members.account_id, wanted))
        .group_by(members.conversation_id)
        .having(func.count() == len(wanted))
    )
    return messages.c.conversation_id.in_(having_all) if wanted else true()


def _search(_view: View, operand: object) -> Condition:
    return and_(
        true(),
        *(
            or_(holds(messages.c.content, word), holds(messages.c.topic, word))
            for word in Term("search", str(operand)).words
        ),
    )


_CONDITIONS: dict[str, Callable[[View, object], Condition]] = {
    "channel": lambda _view, operand: messages.c.channel_id == operand,
    "channels": lambda _view, _operand: messages.c.channel_id.in_(
        select(channels.c.id).where(channels.c.is_private.is_(False))
    ),
    "topic": lambda _view, operand: and_(
        messages.c.channel_id.is_not(None), messages.c.topic_key == name_key(str(operand))
    ),
    "sender": lambda _view, operand: messages.c.sender_id == operand,
    "dm": _dm,
    "dm-including": _dm_including,
    "is": _is,
    "has": _has,
    "in": lambda view, operand: true() if operand == "all" else not_(_is(view, "muted")),
    "id": lambda _view, operand: messages.c.id == operand,
    "near": lambda _view, _operand: true(),
    "search": _search,
}


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in the requested order. `is_cut` means that there are more than one answer has room for."""

    messages: Sequence[Message]
    is_cut: bool


class _Part(Enum):
    """Which messages on one side of an anchor."""

    BEFORE = auto()
    UP_TO = auto()
    AFTER = auto()


async def find_before(connection: AsyncConnection, view: View, anchor: int, *, limit: int, inclusive: bool) -> Page:
    """The messages before an anchor (and at it), newest first."""
    statement = _beside_anchor(view, _Part.UP_TO if inclusive else _Part.BEFORE)
    return await _page(connection, statement, {"anchor": anchor, "limit": limit})


async def find_after(connection: AsyncConnection, view: View, anchor: int, *, limit: int) -> Page:
    """The messages after an anchor, oldest first."""
    return await _page(connection, _beside_anchor(view, _Part.AFTER), {"anchor": anchor, "limit": limit})


async def find_some(connection: AsyncConnection, view: View, message_ids: Sequence[int]) -> Page:
    """Those of several messages that are visible through the narrow, oldest first."""
    return await _page(connection, _as_many_as_fit(view, among(messages.c.id, message_ids), messages.c.id.asc()), {})


@lru_cache(maxsize=128)
def _beside_anchor(view: View, part: _Part) -> Select[Any]:
    """The statement for one side of an anchor. It is cached, because building it takes longer than answering it, and
    clients that read on send it again. It depends on nothing in the database.
    """
    anchor, limit = bindparam("anchor", type_=Integer), bindparam("limit", type_=Integer)
    if part is _Part.AFTER:
        return _as_many_as_fit(view, messages.c.id > anchor, messages.c.id.asc(), limit=limit)
    at = messages.c.id <= anchor if part is _Part.UP_TO else messages.c.id < anchor
    return _as_many_as_fit(view, at, messages.c.id.desc(), limit=limit)


def _as_many_as_fit(
    view: View, where: Condition, order: ColumnElement[Any], *, limit: ColumnElement[int] | None = None
) -> Select[Any]:
    """The first of the messages, as many as there is room for, but always at least one."""
    wanted = select(messages.c.id).select_from(_source(view)).where(where, *_conditions(view))
    wanted_ids = wanted.order_by(order).limit(limit).subquery()
    size = sum(map(func.length, (messages.c.content, messages.c.rendered, messages.c.edits)), start=literal(0))
    sized = (
        select(
            messages.c.id,
            (func.sum(size).over(order_by=order) - size).label("before"),
            func.count().over().label("wanted"),
        )
        .join(wanted_ids, wanted_ids.c.id == messages.c.id)
        .subquery()
    )
    columns: list[ColumnElement[Any]] = [*COLUMNS, sized.c.wanted]
    return (
        select(*columns)
        .select_from(SOURCE.join(sized, sized.c.id == messages.c.id))
        .where(sized.c.before < MOST_TEXT)
        .order_by(order)
    )


async def _page(connection: AsyncConnection, statement: Select[Any], parameters: Mapping[str, int]) -> Page:
    rows = (await connection.execute(statement, parameters)).all()
    found = await paced(from_row, rows)
    return Page(found, is_cut=bool(rows) and rows[0].wanted > len(found))


async def first_unread(connection: AsyncConnection, view: View) -> int | None:
    """The oldest message in the narrow that the account has not read."""
    found = await connection.execute(
        select(func.min(messages.c.id))
        .select_from(_source(view))
        .where(*_conditions(view), copies.c.account_id.is_not(None), not_(_has_flag(Flag.READ)))
    )
    unread: int | None = found.scalar_one()
    return unread


async def first_since(connection: AsyncConnection, view: View, moment: datetime) -> int | None:
    """The first message in the narrow that was sent at this moment or later."""
    found = await connection.execute(
        select(func.min(messages.c.id))
        .select_from(_source(view))
        .where(*_conditions(view), messages.c.sent_at >= moment)
    )
    first: int | None = found.scalar_one()
    return first
