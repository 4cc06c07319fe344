"""`/health/live` and `/health/ready`, for load balancers and supervisors. They reveal nothing else."""

from __future__ import annotations

from typing import Any, final

from starlette.responses import PlainTextResponse, Response

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.rules import OPEN, Way
from keybearer.server.http.admission import Admission, Doorway
from keybearer.server.http.body import NO_BODY
from keybearer.server.http.request import Request
from keybearer.server.http.routing import MethodNotAllowed, Prefix, Route, Router
from keybearer.server.services.health import Health

PREFIX = Prefix("/health/", Way.NOBODY)
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@final
class HealthDoor:
    """Says whether the process answers, and whether it can currently do its work (200) or not (503)."""

    doorway = Doorway(checks_host=False)

    def __init__(self, health: Health) -> None:
        self._health = health
        self.router = Router(
            PREFIX,
            (Route("GET", "live", self._live, OPEN, NO_BODY), Route("GET", "ready", self._ready, OPEN, NO_BODY)),
        )

    def find_file(self, request: Request) -> None:
        return None

    async def answer(self, admission: Admission, route: Route) -> Response:
        response: Any = await route.handler(admission)
        assert isinstance(response, Response)
        return response

    async def refuse(self, admission: Admission, refusal: Refused) -> Response:
        if isinstance(refusal, MethodNotAllowed):
            return PlainTextResponse(f"{refusal.message}\n", 405, {**_HEADERS, "allow": "GET, HEAD"})
        return PlainTextResponse("not ready\n", 503, _HEADERS)

    async def _live(self, _admission: Admission) -> Response:
        return PlainTextResponse("live\n", headers=_HEADERS)

    async def _ready(self, _admission: Admission) -> Response:
        if await self._health.is_ready():
            return PlainTextResponse("ready\n", headers=_HEADERS)
        return PlainTextResponse("not ready\n", 503, _HEADERS)
