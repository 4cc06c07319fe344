"""Mobile devices: signed out one by one. A new API key signs out all of them."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.services import devices
from keybearer.server.web.notices import Notice
from keybearer.server.web.visit import Visit


async def remove(visit: Visit) -> Response:
    """Remove one registration."""
    await devices.remove_by_id(visit.context, visit.caller, visit.id("device_id"))
    return visit.redirect("/settings/sessions/", notice=Notice.DEVICE_REMOVED)
