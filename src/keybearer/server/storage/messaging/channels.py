"""Channels and subscriptions as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, Select, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.messaging.channels import Channel, PostPolicy, Subscription, name_key
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.accounts import is_of_person
from keybearer.server.storage.dialect import among, among_given, insert_missing
from keybearer.server.storage.messaging.tables import channels, subscriptions
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import accounts
from keybearer.server.storage.visibility import ViewerKind, kind_of, kind_sees_channel, sees_channel, viewer_parameters

COLUMNS = [column for column in channels.c if column.name != "name_key"]


def from_row(row: Row[Any]) -> Channel:
    """The value of a row that has `COLUMNS`."""
    return _from_columns(row._mapping)


def _from_columns(columns: Mapping[Any, Any]) -> Channel:
    return Channel(**{**columns, "post_policy": PostPolicy(columns["post_policy"])})


_ADDED = Prepared(
    insert(channels),
    columns=(
        "realm_id", "name", "name_key", "description", "rendered_description", "is_private", "post_policy",
        "creator_id", "created_at", "is_default",
    ),
)  # fmt: skip


async def add(connection: AsyncConnection, new: Sequence[Channel]) -> Sequence[Channel]:
    """Create channels of one realm with the given ids. Their names must be free; the database enforces it."""
    rows = [
        {
            "realm_id": channel.realm_id,
            "name": channel.name,
            "name_key": name_key(channel.name),
            "description": channel.description,
            "rendered_description": channel.rendered_description,
            "is_private": channel.is_private,
            "post_policy": channel.post_policy.value,
            "creator_id": channel.creator_id,
            "created_at": channel.created_at,
            "is_default": channel.is_default,
        }
        for channel in new
    ]
    if not rows:
        return []
    await _ADDED.run_each(connection, rows)
    return await find_by_names(connection, new[0].realm_id, [channel.name for channel in new])


async def save(connection: AsyncConnection, channel: Channel) -> None:
    """Write all fields of the channel that can change."""
    await connection.execute(
        update(channels)
        .where(channels.c.id == channel.id)
        .values(
            name=channel.name,
            name_key=name_key(channel.name),
            description=channel.description,
            rendered_description=channel.rendered_description,
            is_private=channel.is_private,
            post_policy=channel.post_policy.value,
            is_archived=channel.is_archived,
            is_default=channel.is_default,
        )
    )


_FIRST_NOTED = Prepared(
    update(channels)
    .where(channels.c.id == bindparam("of_id"), channels.c.first_message_id.is_(None))
    .values(first_message_id=bindparam("message_id"))
)


async def note_first_message(connection: AsyncConnection, channel_id: int, message_id: int) -> None:
    """Record a channel's first message."""
    await _FIRST_NOTED.run(connection, of_id=channel_id, message_id=message_id)


async def _find_one(connection: AsyncConnection, statement: Select[Any]) -> Channel | None:
    row = (await connection.execute(statement)).first()
    return None if row is None else from_row(row)


async def find_by_name(connection: AsyncConnection, realm_id: int, name: str) -> Channel | None:
    """The channel with that name, in any case. It may be archived. Permission to see it is not checked."""
    return await _find_one(connection, select(*COLUMNS).where(channels.c.realm_id == realm_id, _is_named(name)))


async def find_by_names(connection: AsyncConnection, realm_id: int, names: Iterable[str]) -> Sequence[Channel]:
    """The channels with these names, by id, as in `find_by_name`."""
    statement = select(*COLUMNS).where(channels.c.realm_id == realm_id, _is_one_of(names)).order_by(channels.c.id)
    return await paced(from_row, await connection.execute(statement))


async def count_created(connection: AsyncConnection, account_id: int) -> int:
    """How many channels an account and its bots have created, including archived ones."""
    counted = select(func.count()).where(is_of_person(channels.c.creator_id, account_id))
    return (await connection.execute(counted)).scalar_one()


async def find_seen(connection: AsyncConnection, viewer: Account, channel: str | int) -> Channel | None:
    """The channel with a name or an id, archived or not. None if the viewer may not see it."""
    by_id = isinstance(channel, int)
    wanted = channel if isinstance(channel, int) else name_key(channel.strip())
    found = await _seen_statement(kind_of(viewer), by_id=by_id).record(
        connection, wanted=wanted, **viewer_parameters(viewer)
    )
    return None if found is None else _from_columns(found)


@cache
def _seen_statement(kind: ViewerKind, *, by_id: bool) -> Prepared:
    column = channels.c.id if by_id else channels.c.name_key
    return Prepared(select(*COLUMNS).where(column == bindparam("wanted"), kind_sees_channel(kind)))


async def find_named(
    connection: AsyncConnection, viewer: Account, wanted: Collection[str | int]
) -> dict[str | int, Channel]:
    """The channels with these names and ids, archived or not. Those that the viewer may not see are absent."""
    ids, names = [each for each in wanted if isinstance(each, int)], [each for each in wanted if isinstance(each, str)]
    named = or_(among(channels.c.id, ids), _is_one_of(names))
    found = await paced(from_row, await connection.execute(select(*COLUMNS).where(named, sees_channel(viewer))))
    by_id, by_key = {each.id: each for each in found}, {name_key(each.name): each for each in found}
    meant = {each: by_id.get(each) if isinstance(each, int) else by_key.get(name_key(each.strip())) for each in wanted}
    return {each: channel for each, channel in meant.items() if channel is not None}


async def find_all_seen(
    connection: AsyncConnection, viewer: Account, *, names: Iterable[str] | None = None
) -> Sequence[Channel]:
    """All channels that the viewer may see (or those with these names), by id, including archived ones."""
    if names is not None:
        statement = select(*COLUMNS).where(sees_channel(viewer), _is_one_of(names)).order_by(channels.c.id)
        return await paced(from_row, await connection.execute(statement))
    found = await _all_seen_statement(kind_of(viewer)).records(connection, **viewer_parameters(viewer))
    return await paced(_from_columns, found)


@cache
def _all_seen_statement(kind: ViewerKind) -> Prepared:
    return Prepared(select(*COLUMNS).where(kind_sees_channel(kind)).order_by(channels.c.id))


def _is_named(name: str) -> ColumnElement[bool]:
    return channels.c.name_key == name_key(name.strip())


def _is_one_of(names: Iterable[str]) -> ColumnElement[bool]:
    return among(channels.c.name_key, (name_key(name.strip()) for name in names))


async def find_by_ids(connection: AsyncConnection, channel_ids: Collection[int]) -> dict[int, Channel]:
    """Several channels, including archived ones, by id. Missing channels are absent."""
    rows = await connection.execute(select(*COLUMNS).where(among(channels.c.id, channel_ids)))
    return {channel.id: channel for channel in await paced(from_row, rows)}


_NAMES = Prepared(select(channels.c.id, channels.c.name).where(among_given(channels.c.id, "ids")))


async def find_names(connection: AsyncConnection, channel_ids: Iterable[int]) -> dict[int, str]:
    """The names of channels by their ids."""
    ids = sorted(set(channel_ids))
    found = await _NAMES.rows(connection, ids=ids) if ids else ()
    return {row[0]: row[1] for row in found}


async def subscribe(connection: AsyncConnection, new: Sequence[Subscription]) -> None:
    """Subscribe accounts to channels. Existing subscriptions stay as they are."""
    rows = await paced(
        lambda each: {"account_id": each.account_id, "channel_id": each.channel_id, "color": each.color}, new
    )
    await insert_missing(connection, subscriptions, rows, key=["account_id", "channel_id"])


async def unsubscribe(
    connection: AsyncConnection, account_ids: Iterable[int], channel_ids: Iterable[int]
) -> Sequence[tuple[int, int]]:
    """Unsubscribe all these accounts from all these channels. Returns what ended, as pairs of account and channel."""
    rows = await connection.execute(
        delete(subscriptions)
        .where(among(subscriptions.c.account_id, account_ids), among(subscriptions.c.channel_id, channel_ids))
        .returning(subscriptions.c.account_id, subscriptions.c.channel_id)
    )
    return await paced(lambda row: (row[0], row[1]), rows)


async def change_subscriptions(
    connection: AsyncConnection, account_id: int, name: str, values: Mapping[int, object]
) -> None:
    """Change one setting of an account's subscriptions, to a value for each of several channels."""
    await connection.execute(
        update(subscriptions)
        .where(subscriptions.c.account_id == account_id, subscriptions.c.channel_id == bindparam("of_channel"))
        .values({name: bindparam("value")}),
        [{"of_channel": channel_id, "value": value} for channel_id, value in values.items()],
    )


_FOLLOWED = Prepared(select(subscriptions).where(subscriptions.c.account_id == bindparam("account_id")))


async def find_subscriptions(connection: AsyncConnection, account_id: int) -> dict[int, Subscription]:
    """An account's subscriptions, by channel."""
    found = await _FOLLOWED.records(connection, account_id=account_id)
    return {each.channel_id: each for each in await paced(lambda columns: Subscription(**columns), found)}


_FOLLOWED_OF = Prepared(
    select(subscriptions).where(
        subscriptions.c.account_id == bindparam("account_id"), among_given(subscriptions.c.channel_id, "ids")
    )
)


async def find_subscriptions_to(
    connection: AsyncConnection, account_id: int, channel_ids: Iterable[int]
) -> dict[int, Subscription]:
    """Those of an account's subscriptions that are to one of these channels, by channel."""
    found = await _FOLLOWED_OF.records(connection, account_id=account_id, ids=sorted(set(channel_ids)))
    return {each.channel_id: each for each in await paced(lambda columns: Subscription(**columns), found)}


_MUTED = Prepared(
    select(subscriptions.c.channel_id).where(
        subscriptions.c.account_id == bindparam("account_id"), subscriptions.c.is_muted
    )
)


async def find_muted_ids(connection: AsyncConnection, account_id: int) -> frozenset[int]:
    """The channels that an account follows and has muted."""
    return frozenset(await _MUTED.values(connection, account_id=account_id))


async def count_subscriptions(connection: AsyncConnection, account_ids: Iterable[int]) -> dict[int, int]:
    """How many channels each of several accounts follows. Accounts without subscriptions are absent."""
    statement = select(subscriptions.c.account_id, func.count().label("followed"))
    rows = await connection.execute(
        statement.where(among(subscriptions.c.account_id, account_ids)).group_by(subscriptions.c.account_id)
    )
    return dict(await paced(lambda row: (row[0], row[1]), rows))


_FOLLOWERS = Prepared(
    select(func.count()).select_from(
        select(subscriptions.c.channel_id)
        .where(among_given(subscriptions.c.channel_id, "ids"))
        .limit(bindparam("limit", type_=Integer))
        .subquery()
    )
)


async def count_followers(connection: AsyncConnection, channel_ids: Iterable[int], *, most: int) -> int:
    """How many followers these channels have together, counted no further than to one more than `most`. An account that
    follows two of them counts twice.
    """
    (counted,) = await _FOLLOWERS.values(connection, ids=sorted(set(channel_ids)), limit=most + 1)
    return int(counted)


async def find_pairs(
    connection: AsyncConnection, account_ids: Collection[int], channel_ids: Collection[int]
) -> frozenset[tuple[int, int]]:
    """Which of these accounts follow which of these channels, as pairs of ids."""
    rows = await connection.execute(
        select(subscriptions.c.account_id, subscriptions.c.channel_id).where(
            among(subscriptions.c.account_id, account_ids), among(subscriptions.c.channel_id, channel_ids)
        )
    )
    return frozenset(await paced(lambda row: (row[0], row[1]), rows))


_SUBSCRIBERS = Prepared(
    select(subscriptions.c.channel_id, subscriptions.c.account_id).where(among_given(subscriptions.c.channel_id, "ids"))
)


async def find_subscribers(connection: AsyncConnection, channel_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """The followers of each of several channels, including deactivated accounts."""
    found: dict[int, set[int]] = {channel_id: set() for channel_id in channel_ids}
    rows = await _SUBSCRIBERS.rows(connection, ids=sorted(found)) if found else ()
    await paced(lambda row: found[row[0]].add(row[1]), rows)
    return {channel_id: frozenset(ids) for channel_id, ids in found.items()}


_COUNTED = Prepared(
    select(subscriptions.c.channel_id, func.count())
    .where(among_given(subscriptions.c.channel_id, "ids"))
    .group_by(subscriptions.c.channel_id)
)


async def count_subscribers(connection: AsyncConnection, channel_ids: Iterable[int]) -> dict[int, int]:
    """How many accounts, also deactivated ones, follow each of several channels. Channels without any are absent."""
    ids = sorted(set(channel_ids))
    rows = await _COUNTED.rows(connection, ids=ids) if ids else ()
    return {row[0]: row[1] for row in rows}


_ACTIVE_SUBSCRIBERS = Prepared(
    select(subscriptions.c.account_id)
    .join(accounts, accounts.c.id == subscriptions.c.account_id)
    .where(subscriptions.c.channel_id == bindparam("channel_id"), accounts.c.is_active)
)


async def find_active_subscribers(connection: AsyncConnection, channel_id: int) -> frozenset[int]:
    """The active accounts that follow a channel."""
    return frozenset(await _ACTIVE_SUBSCRIBERS.values(connection, channel_id=channel_id))


async def find_default_ids(connection: AsyncConnection, realm_id: int) -> Sequence[int]:
    """The channels that new people are subscribed to."""
    rows = await connection.execute(
        select(channels.c.id).where(
            channels.c.realm_id == realm_id, channels.c.is_default, channels.c.is_archived.is_(False)
        )
    )
    return [row.id for row in rows]
