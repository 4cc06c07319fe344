"""Who has read a message."""

from __future__ import annotations

from collections.abc import Sequence

from keybearer.server.domain.actors import Caller
from keybearer.server.services.context import Context
from keybearer.server.services.messaging.lookups import visible_message
from keybearer.server.storage.messaging import read_receipts


async def find(context: Context, caller: Caller, message_id: int) -> Sequence[int]:
    """The accounts that have read a message that the actor sees, by id. Raises Refused if there is none."""
    async with context.viewing(caller) as view:
        message = await visible_message(view.connection, view.actor.account, message_id)
        return await read_receipts.find_reader_ids(view.connection, message, view.actor.id)
