"""What a bot sent and received, shown to its owner when they ask for it."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.errors import Refused
from keybearer.server.services.messaging import bot_messages
from keybearer.server.services.messaging.bot_messages import Part
from keybearer.server.web.messaging.items import items_of
from keybearer.server.web.visit import Visit

PER_PAGE = 50


async def show_question(visit: Visit) -> Response:
    """The question before looking. Nothing is shown, and nothing is recorded."""
    bot = await bot_messages.find_bot(visit.context, visit.caller, visit.id("bot_id"))
    return visit.render("messages/bot_question.html", bot=bot)


async def show(visit: Visit) -> Response:
    """The messages. By POST: each look is recorded, so a link must not trigger one."""
    part = _part(visit)
    found = await bot_messages.look(
        visit.context, visit.caller, visit.id("bot_id"), part, before=visit.number("before"), limit=PER_PAGE
    )
    items = await items_of(found.copies, found.directory, found.bot, visit.context.clock())
    return visit.render(
        "messages/bot.html",
        bot=found.bot,
        items=items,
        is_read_only=True,
        part=part,
        is_newest=visit.number("before") is None,
        older=items[0].message.id if found.has_older and items else None,
    )


def _part(visit: Visit) -> Part:
    try:
        return Part(visit.text("part") or Part.ALL)
    except ValueError:
        raise Refused("Choose what to show: what the bot sent, what it received, or both.") from None
