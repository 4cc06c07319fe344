"""The policies that accounts chose for topics, as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.messaging.channels import name_key
from keybearer.server.domain.messaging.user_topics import TopicPolicy, UserTopic
from keybearer.server.storage.accounts import is_of_person
from keybearer.server.storage.dialect import among, upsert
from keybearer.server.storage.messaging.tables import channels, user_topics
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.visibility import ViewerKind, kind_of, kind_sees_channel, viewer_parameters

_COLUMNS = [column for column in user_topics.c if column.name != "topic_key"]
_KEY = ["account_id", "channel_id", "topic_key"]


async def find_seen(connection: AsyncConnection, viewer: Account) -> Sequence[tuple[UserTopic, str]]:
    """What the viewer chose for topics of channels that it sees and that are not archived, with each channel's name."""
    found = await _seen_statement(kind_of(viewer)).records(connection, **viewer_parameters(viewer))
    return [_from_columns(**columns) for columns in found]


@cache
def _seen_statement(kind: ViewerKind) -> Prepared:
    is_own = user_topics.c.account_id == bindparam("viewer_id")
    return Prepared(
        select(*_COLUMNS, channels.c.name)
        .join(channels, channels.c.id == user_topics.c.channel_id)
        .where(is_own, kind_sees_channel(kind), channels.c.is_archived.is_(False))
        .order_by(user_topics.c.channel_id, user_topics.c.topic_key)
    )


async def find_muted(
    connection: AsyncConnection, account_ids: Collection[int]
) -> Mapping[int, Sequence[tuple[UserTopic, str]]]:
    """The topics that each of these accounts muted, whether or not it sees them, with the names of their channels."""
    muted: dict[int, list[tuple[UserTopic, str]]] = {account_id: [] for account_id in account_ids}
    is_muted = user_topics.c.policy == TopicPolicy.MUTED.value
    rows = await connection.execute(
        select(*_COLUMNS, channels.c.name)
        .join(channels, channels.c.id == user_topics.c.channel_id)
        .where(among(user_topics.c.account_id, account_ids), is_muted, channels.c.is_archived.is_(False))
        .order_by(user_topics.c.channel_id, user_topics.c.topic_key)
    )
    for row in rows:
        muted[row.account_id].append(_from_columns(**row._mapping))
    return muted


def _from_columns(
    *, account_id: int, channel_id: int, topic: str, policy: int, changed_at: datetime, name: str
) -> tuple[UserTopic, str]:
    return UserTopic(account_id, channel_id, topic, TopicPolicy(policy), changed_at), name


async def save(connection: AsyncConnection, chosen: UserTopic) -> None:
    """Store what an account chose for a topic, replacing its earlier choice."""
    values = {
        "account_id": chosen.account_id,
        "channel_id": chosen.channel_id,
        "topic_key": name_key(chosen.topic),
        "topic": chosen.topic,
        "policy": chosen.policy.value,
        "changed_at": chosen.changed_at,
    }
    await upsert(connection, user_topics, values, key=_KEY)


async def remove(connection: AsyncConnection, account_id: int, channel_id: int, topic: str) -> bool:
    """Forget what an account chose for a topic. False if it had chosen nothing."""
    result = await connection.execute(
        delete(user_topics)
        .where(
            user_topics.c.account_id == account_id,
            user_topics.c.channel_id == channel_id,
            user_topics.c.topic_key == name_key(topic),
        )
        .returning(user_topics.c.channel_id)
    )
    return result.first() is not None


async def move(
    connection: AsyncConnection, before: tuple[int, str], after: UserTopic
) -> tuple[Mapping[TopicPolicy, list[int]], Mapping[TopicPolicy, list[int]]]:
    """Move the policies that accounts chose for a topic (channel and name) to the topic's new place.

    If an account has chosen a policy for the new topic, that one stays, and the one for the old topic is forgotten.
    Returns whose policies moved, and whose were forgotten.
    """
    old = and_(user_topics.c.channel_id == before[0], user_topics.c.topic_key == name_key(before[1]))
    new = user_topics.alias()
    has_chosen = exists().where(
        new.c.account_id == user_topics.c.account_id,
        new.c.channel_id == after.channel_id,
        new.c.topic_key == name_key(after.topic),
    )
    values = {"channel_id": after.channel_id, "topic_key": name_key(after.topic), "topic": after.topic}
    result = await connection.execute(
        update(user_topics)
        .where(old, ~has_chosen)
        .values(**values, changed_at=after.changed_at)
        .returning(user_topics.c.account_id, user_topics.c.policy)
    )
    moved = _by_policy(result)
    forgotten = delete(user_topics).where(old).returning(user_topics.c.account_id, user_topics.c.policy)
    return moved, _by_policy(await connection.execute(forgotten))


def _by_policy(rows: Iterable[Row[*tuple[Any, ...]]]) -> Mapping[TopicPolicy, list[int]]:
    found: dict[TopicPolicy, list[int]] = {}
    for row in rows:
        found.setdefault(TopicPolicy(row.policy), []).append(row.account_id)
    return found


async def count(connection: AsyncConnection, account_id: int) -> int:
    """The number of topics for which an account chose a policy."""
    statement = select(func.count()).select_from(user_topics).where(user_topics.c.account_id == account_id)
    return (await connection.execute(statement)).scalar_one()


async def count_of_person(connection: AsyncConnection, person_id: int) -> int:
    """The number of topics for which a person and their bots chose a policy."""
    counted = select(func.count()).where(is_of_person(user_topics.c.account_id, person_id))
    return (await connection.execute(counted)).scalar_one()
