"""Who has read a message, found from its copies."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.limits import MOST_ENTRIES
from keybearer.server.domain.messaging.messages import Flag, Message
from keybearer.server.storage.messaging.tables import copies, muted_users
from keybearer.server.storage.tables import accounts


async def find_reader_ids(connection: AsyncConnection, message: Message, viewer_id: int) -> Sequence[int]:
    """The active accounts that have read a message, by id, up to a limit.

    Its sender is left out, and so are accounts that the viewer has muted or that have muted the viewer.
    """
    is_muted = exists().where(
        or_(
            and_(muted_users.c.account_id == viewer_id, muted_users.c.muted_id == copies.c.account_id),
            and_(muted_users.c.account_id == copies.c.account_id, muted_users.c.muted_id == viewer_id),
        )
    )
    rows = await connection.execute(
        select(copies.c.account_id)
        .join(accounts, accounts.c.id == copies.c.account_id)
        .where(
            copies.c.message_id == message.id,
            copies.c.flags.bitwise_and(Flag.READ.value) != 0,
            copies.c.account_id != message.sender_id,
            accounts.c.is_active,
            ~is_muted,
        )
        .order_by(copies.c.account_id)
        .limit(MOST_ENTRIES)
    )
    return rows.scalars().all()
