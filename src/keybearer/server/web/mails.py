"""Unsent mail: its recipient, its subject and its time, for administrators."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.services import mails
from keybearer.server.web.visit import Visit


async def show_unsent(visit: Visit) -> Response:
    """The mails that wait, and those that were given up."""
    found = await mails.find_unsent(visit.context, visit.caller)
    return visit.render("mails/table.html", mails=found, most=mails.MOST_SHOWN)
