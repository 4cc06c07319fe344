"""What Zulip's API has and this server has not is refused in one way, after who calls is known."""

from __future__ import annotations

import re

from keybearer.server.api import routes, unavailable
from tests.asgi import ask, by_key
from tests.in_process import InProcessServer

REFUSAL = re.compile(
    r'\{"result":"error","msg":"[A-Z][\w \']+ are not available on this server\.","code":"NOT_AVAILABLE"\}\n'
)


async def test_what_is_not_available_says_so_to_whoever_is_known_and_to_nobody_else(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    assert unavailable.ENDPOINTS
    for endpoint in unavailable.ENDPOINTS:
        path = "/api/v1/" + re.sub(r"\{\w+_id\}", "1", endpoint.path).replace("{", "").replace("}", "")
        stranger = await ask(server.app, endpoint.method, path)
        assert stranger.status == 401, endpoint.name
        known = await ask(server.app, endpoint.method, path, by_key(hamlet.auth))
        assert (known.status, bool(REFUSAL.fullmatch(known.text))) == (404, True), (endpoint.name, known.text)


def test_nothing_is_both_there_and_not() -> None:
    names = [each.name for each in routes.endpoints(for_development=True)]
    assert len(names) == len(set(names))
