"""The log: in text or JSON, at a level, with the id of each request, and never a token, a query or a key."""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keybearer import api_key
from keybearer.server.logs import logging_config
from keybearer.server.storage import accounts
from tests.asgi import FORM_TYPE, ask, by_key, form
from tests.in_process import ADDRESS, InProcessServer, prepared, serving
from tests.server_process import OWNER_EMAIL, running_server


@pytest.fixture
async def talkative(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[InProcessServer]:
    """A server that writes a line for each request."""
    async with serving(prepared(tmp_path / "data", sqlite_template, log_requests=True)) as server:
        yield server


@pytest.fixture
def logger_as_configured() -> Iterator[None]:
    """The root logger is restored afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before[0], before[1]


async def test_every_answer_has_its_request_id_as_have_the_log_and_the_error_page(
    talkative: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    page = await ask(talkative.app, "GET", "/no/such/page/", {"x-request-id": "chosen-by-a-stranger"})
    request_id = page.headers["x-request-id"]
    assert request_id != "chosen-by-a-stranger"
    assert request_id in page.text
    again = await ask(talkative.app, "GET", "/api/v1/users/me")
    assert again.headers["x-request-id"] != request_id


async def test_a_line_for_a_request_names_the_route_and_the_account_and_no_token_or_query(
    talkative: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    hamlet = await talkative.add_person("hamlet")
    await ask(talkative.app, "GET", f"/api/v1/users/{hamlet.id}?api_key={hamlet.api_key}", by_key(hamlet.auth))
    await ask(talkative.app, "GET", "/join/a-token-that-nobody-may-read/")
    lines = [message for message in caplog.messages if "answered with" in message]
    assert lines[0].startswith("GET /api/v1/users/{user_id} answered with 200 in ")
    assert lines[0].endswith(f"for account {hamlet.id} from {ADDRESS}")
    assert lines[1].startswith("GET /join/{token}/ answered with ")
    assert "a-token-that" not in caplog.text
    assert hamlet.api_key not in caplog.text


async def test_a_refused_key_of_a_known_account_is_logged_with_the_account(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    hamlet = await server.add_person("hamlet")
    async with server.context.change(None) as change:
        await accounts.save(change.connection, hamlet.account._replace(is_active=False))
    for _ in range(3):
        await ask(server.app, "GET", "/api/v1/users/me", by_key(hamlet.auth))
    (said,) = (record for record in caplog.records if "keys" in record.getMessage())
    assert said.getMessage() == f"keys of account {hamlet.id} are refused, from {ADDRESS}: Account is deactivated"
    assert (said.__dict__["account_id"], said.__dict__["address"]) == (hamlet.id, ADDRESS)


def lines_of(log_format: str, level: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    logging.config.dictConfig(logging_config(log_format, level))
    log = logging.getLogger("keybearer.some.part")
    log.info("a key: %s", api_key.generate().reveal(), extra={"route": "GET /x"})
    try:
        int("it broke")
    except ValueError:
        log.exception("it failed")
    return capsys.readouterr().err.splitlines()


@pytest.mark.usefixtures("logger_as_configured")
def test_a_json_log_has_one_object_in_each_line_and_masks_keys(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (json.loads(line) for line in lines_of("json", "info", capsys))
    assert (first["level"], first["logger"], first["route"]) == ("INFO", "keybearer.some.part", "GET /x")
    assert first["time"].endswith("+00:00")
    assert "kb" not in first["message"]
    assert "ValueError: invalid literal" in second["exception"]


@pytest.mark.usefixtures("logger_as_configured")
def test_a_text_log_masks_keys_and_leaves_out_lines_below_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    lines = lines_of("text", "error", capsys)
    assert "ERROR keybearer.some.part: it failed" in lines[0]
    assert not any("a key" in line for line in lines)


def test_a_served_process_logs_requests_as_json(tmp_path: Path) -> None:
    environ = {"KEYBEARER_LOG_FORMAT": "json", "KEYBEARER_LOG_REQUESTS": "1"}
    with running_server(tmp_path / "data", environ=environ) as server:
        auth = (OWNER_EMAIL, server.api_key_of())
        answer = httpx2.get(f"{server.site}/api/v1/users/me?secret=yes", auth=auth, timeout=30)
        log = server.log
    found: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]
    line = next(each for each in found if each.get("route") == "/api/v1/users/me")
    assert (line["method"], line["status"], line["address"]) == ("GET", 200, "127.0.0.1")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in log.read_text()


FORWARDED = {"x-forwarded-for": "198.51.100.9", "x-forwarded-proto": "https", "origin": "https://localhost:9991"}


async def test_an_untrusted_proxy_that_breaks_the_sign_in_is_named(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {**FORWARDED, "cookie": "csrftoken=one-of-ours", "content-type": FORM_TYPE}
    body = form({"username": "a@example.com", "password": "x", "csrfmiddlewaretoken": "one-of-ours"})
    for _ in range(2):
        page = await ask(server.app, "POST", "/login/", headers, body)
        assert page.status == 403
        assert "This server does not trust its proxy" in page.text
        assert "KEYBEARER_TRUSTED_PROXIES" in page.text
    named = [message for message in caplog.messages if "KEYBEARER_TRUSTED_PROXIES" in message]
    assert len(named) == 1
    assert f"KEYBEARER_TRUSTED_PROXIES={ADDRESS}" in named[0]
