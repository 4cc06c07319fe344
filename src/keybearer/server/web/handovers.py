"""Hand-over links: created in a bot's panel, used by the person who gets one."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.forms import AlreadySent, FormTooOld
from keybearer.server.services import bots, handovers
from keybearer.server.web.confirmation import confirmed_caller
from keybearer.server.web.visit import Visit


async def confirm(visit: Visit) -> Response:
    """The question before creating a hand-over link."""
    return await _question(visit)


async def _question(visit: Visit, refusal: Refused | None = None) -> Response:
    bot = await bots.find_details(visit.context, visit.caller, visit.id("bot_id"))
    return visit.render_form("handovers/ask.html", refusal, bot=bot.account, is_confirmed=visit.is_confirmed)


async def create(visit: Visit) -> Response:
    """Create the link. It is in this answer and in no other."""
    bot_id = visit.id("bot_id")
    try:
        token = await handovers.create(visit.context, await confirmed_caller(visit), bot_id)
    except (AlreadySent, FormTooOld):
        raise
    except Refused as refusal:
        return await _question(visit, refusal)
    bot = await bots.find_details(visit.context, visit.caller, bot_id)
    url = f"{visit.realm.site}/hand-over/{token.reveal()}/"
    return visit.render("handovers/link.html", bot=bot.account, url=url)


async def show(visit: Visit) -> Response:
    """What the link gives, or why it gives nothing. Looking changes nothing."""
    return await _page(visit)


async def _page(visit: Visit, refusal: Refused | None = None) -> Response:
    standing = await handovers.find(visit.context, visit.token())
    if standing is None:
        return visit.render("handovers/over.html", status=404)
    return visit.render_form("handovers/show.html", refusal, bot=standing.bot, maker=standing.maker)


async def accept(visit: Visit) -> Response:
    """Use up the link: create the key, and show it."""
    try:
        made = await handovers.accept(visit.context, visit.token(), visit.origin)
    except Refused as refusal:
        return await _page(visit, refusal)
    if made is None:
        return visit.render("handovers/over.html", status=404)
    return visit.render("handovers/made.html", made=made)
