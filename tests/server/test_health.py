"""Health: load balancers and supervisors learn that a server lives and whether it is ready, and no more."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.asgi import ask
from tests.in_process import InProcessServer
from tests.server.test_outages import outage
from tests.statements import counting


@pytest.mark.parametrize(("path", "says"), [("/health/live", "live\n"), ("/health/ready", "ready\n")])
async def test_a_healthy_server_says_so_for_any_host(server: InProcessServer, path: str, says: str) -> None:
    for host in ("10.1.2.3:9991", "not a host!", "somewhere-else.example.com"):
        answer = await ask(server.app, "GET", path, {"host": host})
        assert (answer.status, answer.text) == (200, says)
    assert (await ask(server.app, "POST", path)).status == 405


async def test_a_server_without_its_database_lives_and_is_not_ready(
    request: pytest.FixtureRequest, server_on_each: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    if server_on_each.settings.database_url.startswith("sqlite"):
        # The file still exists, but another program's migration has changed it.
        async with server_on_each.context.change(None) as change:
            await change.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
            await change.connection.exec_driver_sql("UPDATE oldest_program SET revision = '9999'")
        await check_is_not_ready(server_on_each)
        async with server_on_each.context.change(None) as change:
            await change.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9998'")
        await check_is_not_ready(server_on_each)
        assert "schema 9999 of a newer Keybearer" in caplog.text
    else:
        with outage(request, server_on_each):
            await check_is_not_ready(server_on_each)
        assert (await ask(server_on_each.app, "GET", "/health/ready")).status == 200


async def check_is_not_ready(server: InProcessServer) -> None:
    answer = await ask(server.app, "GET", "/health/ready")
    assert (answer.status, answer.text) == (503, "not ready\n")
    assert (await ask(server.app, "GET", "/health/live")).status == 200


async def test_a_server_whose_secrets_cannot_be_read_is_not_ready(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    secrets = server.settings.secrets_file
    secrets.chmod(0o644)
    await check_is_not_ready(server)
    await check_is_not_ready(server)
    secrets.chmod(0o600)
    assert (await ask(server.app, "GET", "/health/ready")).status == 200
    said = [message for message in caplog.messages if "ready" in message]
    assert len(said) == 2
    assert "can be read or written by others" in said[0]
    assert said[1] == "the server is ready again"


async def test_many_questions_share_one_check(server_on_each: InProcessServer) -> None:
    with counting() as statements:
        answers = await asyncio.gather(*(ask(server_on_each.app, "GET", "/health/ready") for _ in range(200)))
    assert {answer.status for answer in answers} == {200}
    assert 0 < len(statements) < 10


async def test_a_server_that_stops_is_not_ready(server: InProcessServer) -> None:
    server.app.end_polls()
    await check_is_not_ready(server)
