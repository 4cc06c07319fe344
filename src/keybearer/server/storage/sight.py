"""The facts that decide who may see the subjects of events, read for many accounts and many events at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.event_log import Subject
from keybearer.server.domain.sight import Sight
from keybearer.server.storage import accounts, realms
from keybearer.server.storage.dialect import among
from keybearer.server.storage.messaging import channels
from keybearer.server.storage.messaging.tables import messages


async def find(connection: AsyncConnection, account_ids: Iterable[int], subjects: Collection[Subject]) -> Sight:
    """What decides which of these accounts may see the subjects of these events. Takes at most six queries."""
    viewer_ids = set(account_ids)
    now_in = await _channels_of(connection, {each for subject in subjects for each in subject.message_ids})
    channel_ids = {each for subject in subjects for each in subject.channel_ids} | set(now_in.values())
    bot_ids = {subject.bot_id for subject in subjects if subject.bot_id is not None}
    addressed = {each for subject in subjects for each in subject.addressed_ids}
    found = await accounts.find_hiding_email(connection, addressed)
    found |= await accounts.find_by_ids(connection, viewer_ids | bot_ids)
    followers = viewer_ids | {found[each].bot_owner_id or 0 for each in viewer_ids if each in found}
    realm = await realms.find(connection)
    return Sight(
        accounts=found,
        channels=await channels.find_by_ids(connection, channel_ids) if channel_ids else {},
        subscriptions=await channels.find_pairs(connection, followers, channel_ids) if channel_ids else frozenset(),
        message_channels=now_in,
        dummy_domain=realm.bot_domain if realm else "",
    )


async def _channels_of(connection: AsyncConnection, message_ids: Collection[int]) -> dict[int, int]:
    if not message_ids:
        return {}
    wanted = (among(messages.c.id, message_ids), messages.c.channel_id.is_not(None))
    rows = await connection.execute(select(messages.c.id, messages.c.channel_id).where(*wanted))
    return {row.id: row.channel_id for row in rows}
