"""Metrics: the counts of several workers are shown together, and name no account, address, token or key."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import socket
import time
from pathlib import Path

import httpx2
import prometheus_client
import pytest
import yaml

from keybearer.server.domain.mails import Mail
from keybearer.server.metrics import DIRECTORY_VARIABLE, PrometheusMetrics, published
from keybearer.server.services.measurements import measure
from tests.asgi import ask
from tests.in_process import InProcessServer, prepared, serving
from tests.server_process import OWNER_EMAIL, RunningServer, run_keybearer, running_server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port()}"


def value(page: str, series: str) -> float:
    """The value of one series. 0 if it does not exist yet."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", page, re.MULTILINE)
    return 0.0 if found is None else float(found[1])


def call(server: RunningServer, auth: tuple[str, str] | None, path: str = "/api/v1/users/me") -> int:
    # Separate connections, so that every worker gets some.
    return httpx2.get(server.site + path, auth=auth, timeout=30).status_code


def test_one_page_shows_the_counts_of_all_workers_even_after_one_has_died(tmp_path: Path, address: str) -> None:
    environ = {"KEYBEARER_METRICS": address, "KEYBEARER_FAILURE_LIMIT": "2/minute"}
    with running_server(tmp_path / "data", "--workers", "2", environ=environ) as server:
        good = (OWNER_EMAIL, server.api_key_of())
        assert [call(server, good) for _ in range(12)] == [200] * 12
        assert call(server, (OWNER_EMAIL, "x" * 32)) == 401
        assert call(server, (OWNER_EMAIL, "short")) == 401
        # Each worker allows two failures.
        assert {call(server, (OWNER_EMAIL, "short")) for _ in range(3)} >= {429}
        page = httpx2.get(f"http://{address}/metrics", timeout=30).text
        assert value(page, 'keybearer_requests_total{route="GET /api/v1/users/me",status="200"}') == 12
        assert value(page, 'keybearer_requests_total{route="GET /api/v1/users/me",status="401"}') <= 4
        assert value(page, 'keybearer_limits_reached_total{limit="failed_keys"}') >= 1
        assert value(page, 'keybearer_request_seconds_count{route="GET /api/v1/users/me"}') == 17
        assert value(page, 'keybearer_key_checks_total{outcome="good"}') == 12
        assert value(page, 'keybearer_key_checks_total{outcome="refused"}') == 1
        assert value(page, 'keybearer_key_checks_total{outcome="malformed"}') == 4
        assert value(page, 'keybearer_database_seconds_count{kind="lookup"}') >= 12
        assert "keybearer_build{" in page
        assert 'keybearer_backlog{of="mails"}' in page
        assert "keybearer_event_loop_delay_seconds_bucket" in page
        for private in (*good, "127.0.0.1", "olivia", "Olivia"):
            assert private not in page

        signal_a_worker(server)
        assert call(server, good) == 200
        page = httpx2.get(f"http://{address}/metrics", timeout=30).text
        assert value(page, 'keybearer_key_checks_total{outcome="good"}') == 13


def signal_a_worker(server: RunningServer) -> None:
    """Kill a worker, and wait until another has replaced it."""
    before = server.workers()
    os.kill(before[0], signal.SIGKILL)
    until = time.monotonic() + 20
    while time.monotonic() < until and (before[0] in server.workers() or len(server.workers()) < 2):
        time.sleep(0.05)


def test_files_of_a_worker_that_are_still_empty_do_not_hide_what_the_others_counted() -> None:
    port = free_port()
    with published("127.0.0.1", port):
        (Path(os.environ[DIRECTORY_VARIABLE]) / "counter_1.db").touch()
        assert httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=30).status_code == 200


async def test_the_public_port_has_no_metrics(tmp_path: Path, sqlite_template: Path) -> None:
    settings = prepared(tmp_path / "data", sqlite_template, metrics="127.0.0.1:1")
    async with serving(settings) as server:
        assert (await ask(server.app, "GET", "/metrics")).status == 404


async def test_backlogs_in_the_database_are_measured(server: InProcessServer) -> None:
    metrics = PrometheusMetrics()
    context = dataclasses.replace(server.context, metrics=metrics)
    async with context.change(None) as change:
        await change.send(Mail("gertrude@example.com", "A subject", "A text"))
    async with context.reading():
        await measure(context)
    page = prometheus_client.generate_latest(metrics.registry).decode()
    assert value(page, 'keybearer_backlog{of="mails"}') == 1
    assert value(page, 'keybearer_backlog{of="mails_given_up"}') == 0
    assert value(page, 'keybearer_database_connections{pool="reader"}') == 1
    assert value(page, 'keybearer_database_connections{pool="writer"}') == 0


def test_an_address_in_use_is_refused_and_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = f"127.0.0.1:{listener.getsockname()[1]}"
        ended = run_keybearer(
            "serve", "--data-dir", tmp_path / "data", "--port", "0", environ={"KEYBEARER_METRICS": taken}
        )
    assert ended.returncode == 1
    assert f"KEYBEARER_METRICS: cannot listen on {taken}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_alert_rules_ask_for_metrics_that_exist() -> None:
    rules = (Path(__file__).parents[2] / "docs" / "how-to" / "alerts.yml").read_text()
    listed = yaml.safe_load(rules)["groups"][0]["rules"]
    asked = {name for rule in listed for name in re.findall(r"keybearer_\w+", rule["expr"])}
    shown = prometheus_client.generate_latest(PrometheusMetrics().registry).decode()
    families = set(re.findall(r"^# TYPE (\w+) ", shown, re.MULTILINE))
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} <= families
