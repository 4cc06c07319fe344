"""Account & privacy: one's own name, email, password and API key."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.services import api_keys
from keybearer.server.web.visit import Visit


async def go_to_settings(visit: Visit) -> Response:
    """The first page of the settings."""
    return visit.redirect("/settings/account/", status=302)


async def show(visit: Visit) -> Response:
    """The page."""
    record = await api_keys.find_record(visit.context, visit.actor.id)
    return visit.render("account/show.html", key=record)
