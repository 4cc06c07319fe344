"""The terms of a narrow as SQL: conditions, and the parameters in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import (
    Integer,
    String,
    and_,
    bindparam,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from keybearer.server.domain.messaging.channels import name_key
from keybearer.server.domain.messaging.messages import ANY_MENTION, Flag, conversation_key
from keybearer.server.domain.messaging.narrows import RESOLVED_PREFIX, Term
from keybearer.server.domain.messaging.user_topics import TopicPolicy
from keybearer.server.storage.dialect import among_given, holds
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
from keybearer.server.storage.visibility import Condition

ME = bindparam("viewer_id", type_=Integer)
"""The id of the account that looks."""


class Piece(NamedTuple):
    """What a statement has of a term. The rest of the operand is a parameter, whose name has the term's number."""

    operator: str
    detail: str | int
    negated: bool


def piece_of(term: Term) -> Piece:
    """The part of a term that the statement depends on."""
    detail: str | int = ""
    if term.operator in ("is", "has", "in"):
        detail = str(term.operand)
    elif term.operator == "search":
        detail = len(term.words)
    elif term.operator == "dm-including":
        detail = bool(term.operand)
    return Piece(term.operator, detail, term.negated)


def values_of(account_id: int, name: str, term: Term) -> dict[str, object]:
    """The parameters of a term, with the names that its condition has for them."""
    operand = term.operand
    if term.operator == "search":
        return {f"{name}_{number}": word for number, word in enumerate(term.words)}
    if term.operator in ("dm", "dm-including"):
        assert isinstance(operand, tuple)
        people = {*map(int, operand)}
        if term.operator == "dm":
            return {name: conversation_key({*people, account_id})}
        return {name: sorted(people), f"{name}_count": len(people)}
    return {name: name_key(str(operand)) if term.operator == "topic" else operand}


def condition_of(name: str, piece: Piece) -> Condition:
    """The condition, with the parameters that `values_of` supplies for the same name."""
    found = _CONDITIONS[piece.operator](name, piece.detail)
    return not_(func.coalesce(found, false())) if piece.negated else found


def has_flag(flag: Flag) -> Condition:
    """Whether the viewer's copy of a message has this flag."""
    # A message without a copy counts as read.
    return func.coalesce(copies.c.flags, Flag.READ.value).bitwise_and(flag.value) != 0


def _is(_name: str, detail: str | int) -> Condition:
    return {
        "dm": messages.c.conversation_id.is_not(None),
        "starred": has_flag(Flag.STARRED),
        "unread": not_(has_flag(Flag.READ)),
        "mentioned": has_flag(ANY_MENTION),
        "alerted": has_flag(Flag.HAS_ALERT_WORD),
        "followed": _has_chosen(TopicPolicy.FOLLOWED),
        "resolved": messages.c.topic.startswith(RESOLVED_PREFIX),
        "muted": or_(
            _has_chosen(TopicPolicy.MUTED),
            and_(
                exists().where(
                    subscriptions.c.channel_id == messages.c.channel_id,
                    subscriptions.c.account_id == ME,
                    subscriptions.c.is_muted,
                ),
                not_(_has_chosen(TopicPolicy.UNMUTED, TopicPolicy.FOLLOWED)),
            ),
        ),
    }[str(detail)]


def _has_chosen(*policies: TopicPolicy) -> Condition:
    """Whether the account has chosen one of these policies for the message's topic."""
    return exists().where(
        user_topics.c.account_id == ME,
        user_topics.c.channel_id == messages.c.channel_id,
        user_topics.c.topic_key == messages.c.topic_key,
        user_topics.c.policy.in_([literal_column(str(policy.value), Integer) for policy in policies]),
    )


def _has(_name: str, detail: str | int) -> Condition:
    if detail == "reaction":
        return exists().where(reactions.c.message_id == messages.c.id)
    return {
        "link": messages.c.has_link,
        "image": messages.c.has_image,
        "attachment": messages.c.has_attachment,
    }[str(detail)].is_(True)


def _dm_including(name: str, detail: str | int) -> Condition:
    members = conversation_members.c
    having_all = (
        select(members.conversation_id)
        .where(among_given(members.account_id, name))
        .group_by(members.conversation_id)
        .having(func.count() == bindparam(f"{name}_count", type_=Integer))
    )
    return messages.c.conversation_id.in_(having_all) if detail else true()


def _search(name: str, detail: str | int) -> Condition:
    words = [bindparam(f"{name}_{number}", type_=String) for number in range(int(detail))]
    return and_(true(), *(or_(holds(messages.c.content, word), holds(messages.c.topic, word)) for word in words))


def _number(name: str) -> Any:  # noqa: ANN401  SQLAlchemy's own type
    return bindparam(name, type_=Integer)


_CONDITIONS: dict[str, Callable[[str, str | int], Condition]] = {
    "channel": lambda name, _: messages.c.channel_id == _number(name),
    "channels": lambda _name, _: messages.c.channel_id.in_(
        select(channels.c.id).where(channels.c.is_private.is_(False))
    ),
    "topic": lambda name, _: and_(
        messages.c.channel_id.is_not(None), messages.c.topic_key == bindparam(name, type_=String)
    ),
    "sender": lambda name, _: messages.c.sender_id == _number(name),
    "dm": lambda name, _: conversations.c.members_key == bindparam(name, type_=String),
    "dm-including": _dm_including,
    "is": _is,
    "has": _has,
    "in": lambda name, detail: true() if detail == "all" else not_(_is(name, "muted")),
    "id": lambda name, _: messages.c.id == _number(name),
    "near": lambda _name, _: true(),
    "search": _search,
}
