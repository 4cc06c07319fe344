"""What Zulip's API has and this server does not have is refused in one way, after the caller is identified."""

from __future__ import annotations

import re

from keybearer.server.api import routes, unavailable
from tests.asgi import ask, by_key
from tests.in_process import InProcessServer

REFUSAL = re.compile(
    r'\{"result":"error","msg":"[A-Z][\w \']+ are not available on this server\.","code":"NOT_AVAILABLE"\}\n'
)


async def test_unavailable_endpoints_say_so_to_known_callers_only(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    assert unavailable.ENDPOINTS
    for endpoint in unavailable.ENDPOINTS:
        path = "/api/v1/" + re.sub(r"\{\w+_id\}", "1", endpoint.path).replace("{", "").replace("}", "")
        stranger = await ask(server.app, endpoint.method, path)
        assert stranger.status == 401, endpoint.name
        known = await ask(server.app, endpoint.method, path, by_key(hamlet.auth))
        assert (known.status, bool(REFUSAL.fullmatch(known.text))) == (404, True), (endpoint.name, known.text)


def test_no_endpoint_is_both_available_and_unavailable() -> None:
    names = [each.name for each in routes.endpoints(for_development=True)]
    assert len(names) == len(set(names))
