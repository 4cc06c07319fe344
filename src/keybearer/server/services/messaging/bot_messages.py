"""What a bot sent and received, for its owner. It is read as the bot sees it, and recorded like a look at its key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import NotPermitted
from keybearer.server.domain.messaging.messages import Copy, Directory
from keybearer.server.domain.messaging.narrows import Term
from keybearer.server.domain.visibility import may_see_bot_messages
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_bot
from keybearer.server.services.messaging.lookups import copies_of, directory_of
from keybearer.server.storage.messaging import narrows
from keybearer.server.storage.messaging.narrows import View

_NEWEST = 2**31 - 1


class Part(StrEnum):
    """Which of a bot's messages are requested."""

    ALL = "all"
    SENT = "sent"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class BotMessages:
    """Messages of a bot, oldest first. `has_older` means that there are earlier ones."""

    bot: Account
    copies: list[Copy]
    directory: Directory
    has_older: bool


async def find_bot(context: Context, caller: Caller, bot_id: int) -> Account:
    """A bot whose messages the actor may see. Raises Refused or NotPermitted. Nothing is recorded."""
    async with context.viewing(caller) as view:
        return await _the_bot(view.connection, view.actor.account, bot_id)


async def _the_bot(connection: AsyncConnection, actor: Account, bot_id: int) -> Account:
    bot = await the_bot(connection, actor, bot_id)
    if not may_see_bot_messages(actor, bot):
        raise NotPermitted("Only the owner of a bot can see what it sent and received.")
    return bot


async def look(
    context: Context, caller: Caller, bot_id: int, part: Part, *, before: int | None = None, limit: int
) -> BotMessages:
    """The newest messages that a bot sent or received, before the message with the id `before` if that is given.

    Raises Refused or NotPermitted.
    """
    async with context.change(caller, holding=[bot_id]) as change:
        await change.record(
            AuditEvent.BOT_MESSAGES_VIEWED, await _the_bot(change.connection, change.actor.account, bot_id)
        )
    # Separate from the record, because reading takes longer than other writers should wait.
    async with context.viewing(caller) as view:
        connection = view.connection
        bot = await _the_bot(connection, view.actor.account, bot_id)
        anchor = _NEWEST if before is None else before
        pages = [
            await narrows.find_before(connection, each, anchor, limit=limit + 1, inclusive=False)
            for each in _views(bot, part)
        ]
        # Messages before the last one of a page that was cut may be missing there.
        since = max((page.messages[-1].id for page in pages if page.is_cut), default=0)
        found = [message for page in pages for message in page.messages if message.id >= since]
        found.sort(key=lambda message: message.id)
        shown = found[-limit:]
        copies = await copies_of(connection, bot, shown)
        directory = await directory_of(connection, shown, [reaction for copy in copies for reaction in copy.reactions])
    return BotMessages(bot, copies, directory, has_older=len(found) > limit or since > 0)


def _views(bot: Account, part: Part) -> list[View]:
    """Two look-ups by two indexes: what it sent, and what others sent to it."""
    sent = View(bot, (Term("sender", bot.id),), with_sent=True)
    received = View(bot, (Term("sender", bot.id, negated=True),))
    return {Part.ALL: [sent, received], Part.SENT: [sent], Part.RECEIVED: [received]}[part]
