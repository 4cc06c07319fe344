"""Unsent mails, as administrators see them."""

from __future__ import annotations

from collections.abc import Sequence

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.mails import MailHead
from keybearer.server.services.context import Context
from keybearer.server.storage import mails

MOST_SHOWN = 200


async def find_unsent(context: Context, caller: Caller) -> Sequence[MailHead]:
    """The newest mails that wait or were given up, for callers whose rule allows it."""
    async with context.viewing(caller) as view:
        return await mails.find_heads(view.connection, limit=MOST_SHOWN)
