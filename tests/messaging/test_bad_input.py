"""Bad input: whatever is sent, the answer is Zulip's, and never a 500."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging import routes as message_routes
from tests.messaging.conftest import Play

NASTY = (
    "", " ", "\x00", "a\x00b", "-1", "0", "2147483648", "99999999999999999999", "1e5", "null", "true", '"x"',
    '"\\u0000"', "[]", "{}", "[null]", "[[[]]]", '["\\u0000"]', "[99999999999]", "[-1]", "[1.5]",
    '[{"name": "\\u0000"}]', '[{"name": 5}]', '{"\\u0000": "x"}', '{"a": "\\u0000"}', '[["topic", "\\u0000"]]',
    '[["search", "\\u0000"]]', '[["id", 99999999999]]', '[["dm", [99999999999]]]', '[["sender", 99999999999]]',
    '[["channel", -5]]', '[{"stream_id": 99999999999, "property": "pin_to_top", "value": true}]', "[" * 3000,
    "é" * 5000, "\udcff", "%00", "<script>",
)  # fmt: skip
GOOD = {
    "anchor": "newest", "num_before": "1", "num_after": "1", "type": "stream", "to": "general", "topic": "t",
    "content": "c", "op": "add", "flag": "starred", "queue_id": "x", "last_event_id": "-1", "dont_block": "true",
    "emoji_name": "tada", "status": "active", "stream_id": "1", "topic_name": "t", "stream": "general",
    "messages": "[]", "alert_words": "[]", "visibility_policy": "1", "name": "n", "subscribers": "[1]",
}  # fmt: skip
IDS = ("1", "0", "999999", "99999999999999999999")


def requests(endpoint: Endpoint, every: int) -> list[tuple[str, dict[str, str]]]:
    """Each parameter in turn with a sample of the bad values, and the others as usual."""
    path = re.sub(r"\{\w+\}", "1", endpoint.path)
    needed = {each.name: GOOD[each.name] for each in endpoint.takes if each.name in GOOD}
    asked = [
        (path, {**needed, each.name: value})
        for number, each in enumerate(endpoint.takes)
        for value in NASTY[number % every :: every]
    ]
    if "{" in endpoint.path:
        start, _, rest = endpoint.path.partition("{")
        asked += [(start + number + rest.partition("}")[2].replace("{stream_id}", "1"), needed) for number in IDS]
    return asked


@pytest.mark.parametrize("every", [pytest.param(4, id="sample"), pytest.param(1, id="all", marks=pytest.mark.soak)])
@pytest.mark.parametrize("endpoint", message_routes.ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_bad_input_is_refused_in_zulips_shape(play: Play, endpoint: Endpoint, every: int) -> None:
    credentials = play.hamlet.client.credentials
    assert credentials is not None
    play.hamlet.send("there is a first message", to="general")
    with httpx2.Client(auth=(credentials.email, credentials.api_key.reveal()), timeout=30) as client:
        for path, parameters in requests(endpoint, every):
            encoded = "&".join(f"{name}={quote(value, errors='surrogateescape')}" for name, value in parameters.items())
            address = f"{play.server.site}/api/v1/{path}"
            sent: dict[str, Any] = {}
            if endpoint.method == "GET":
                address += f"?{encoded}"
            else:
                sent = {"content": encoded, "headers": {"content-type": "application/x-www-form-urlencoded"}}
            response = client.request(endpoint.method, address, **sent)
            what = f"{endpoint.method} {path} {parameters!r:.300} → {response.status_code} {response.text[:300]}"
            assert response.status_code in (200, 400, 404), what
            if response.status_code != 404:
                answer = response.json()
                assert answer["result"] == ("success" if response.status_code == 200 else "error"), what
                assert isinstance(answer["msg"], str), what
