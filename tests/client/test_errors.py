"""Every failure of a call has its own error, which says what to do. Each test runs with both clients."""

from __future__ import annotations

import pickle
import socket
import traceback

import pytest

from keybearer import AsyncClient, Client, Credentials, Secret
from keybearer.client.flow.retry import RetryPolicy
from keybearer.errors import (
    AccountDeactivated,
    APIError,
    AuthenticationRefused,
    ClientError,
    EventQueueLost,
    InvalidAPIKey,
    KeybearerError,
    MalformedAPIKey,
    NotAZulipServer,
    OrganizationDeactivated,
    PasswordRefused,
    RateLimited,
    ResolutionError,
    ServerFailed,
    TimedOut,
    TLSFailed,
    Unreachable,
    WrongSite,
)
from tests.client.callers import Opener
from tests.client.scripted_server import EMAIL, KEY, Reply, ScriptedServer, error, html, refused, success

ONCE = RetryPolicy(attempts=1)

PASSWORD = "correct horse battery"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (refused("Invalid API key"), InvalidAPIKey),
        (refused("Malformed API key"), MalformedAPIKey),
        (refused("Account is deactivated"), AccountDeactivated),
        (refused("This organization has been deactivated"), OrganizationDeactivated),
        (refused("Account is not associated with this subdomain"), WrongSite),
        (refused("This API is not available to incoming webhook bots."), AuthenticationRefused),
        (error(400, "Invalid subdomain"), WrongSite),
        (error(404, "Invalid subdomain", "NONEXISTENT_SUBDOMAIN"), WrongSite),
        (error(401, "Account is deactivated", "USER_DEACTIVATED"), AccountDeactivated),
        (error(400, "No such bot"), APIError),
        (error(400, "Bad event queue ID: 1:2", "BAD_EVENT_QUEUE_ID"), EventQueueLost),
        (error(500, "Internal server error", "INTERNAL_SERVER_ERROR"), ServerFailed),
        (html(502), ServerFailed),
        (html(200), NotAZulipServer),
        (html(403), NotAZulipServer),
        (Reply(200, json=[1, 2]), NotAZulipServer),
        (Reply(200, json={"hello": "world"}), NotAZulipServer),
        (Reply(200, body=b"\xff\xfe\x00"), NotAZulipServer),
        (Reply(200, body=b"[" * 100_000), NotAZulipServer),
        (html(429), RateLimited),
    ],
)
def test_each_refusal_has_its_own_error(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, reply: Reply, expected: type[ClientError]
) -> None:
    server.otherwise = reply
    with pytest.raises(expected) as caught:
        open_client(credentials, retry=ONCE).get_profile()
    assert type(caught.value) is expected
    assert KEY not in f"{caught.value!s} {caught.value!r} {traceback.format_exception(caught.value)}"


def test_an_error_of_zulip_has_its_code_status_and_answer(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = error(400, "Missing 'x' argument", "REQUEST_VARIABLE_MISSING", var_name="x")
    with pytest.raises(APIError, match="Missing 'x' argument") as caught:
        open_client(credentials).request("POST", "users/me/presence")
    assert (caught.value.code, caught.value.status) == ("REQUEST_VARIABLE_MISSING", 400)
    assert caught.value.answer["var_name"] == "x"


@pytest.mark.parametrize("code", ["AUTHENTICATION_FAILED", "PASSWORD_AUTH_DISABLED", "PASSWORD_RESET_REQUIRED"])
def test_a_refused_password_is_not_a_refused_key(open_client: Opener, server: ScriptedServer, code: str) -> None:
    server.otherwise = error(401, "Your username or password is incorrect", code)
    with pytest.raises(PasswordRefused) as caught:
        open_client.adopt(open_client.kind.unauthenticated(server.site)).fetch_api_key(EMAIL, PASSWORD)
    assert caught.value.hint


def test_an_unknown_endpoint_is_distinguished_from_another_server(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.script = [html(404), success(zulip_version="11.0", zulip_feature_level=372)]
    with pytest.raises(APIError, match="no endpoint 'nonsense'") as caught:
        open_client(credentials).request("GET", "nonsense")
    assert caught.value.status == 404
    server.otherwise = html(404)
    with pytest.raises(NotAZulipServer):
        open_client(credentials).request("GET", "nonsense")


def test_rate_limited_has_the_seconds_from_the_response(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = error(429, "API usage exceeded rate limit", "RATE_LIMIT_HIT", **{"retry-after": 57.18})
    with pytest.raises(RateLimited) as caught:
        open_client(credentials, retry=ONCE).get_profile()
    assert caught.value.retry_after == 57.18
    assert "58 seconds" in str(caught.value)


def test_a_port_without_a_listener_is_unreachable(open_client: Opener) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        site = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unreachable, match="no program listens on the port"):
            open_client(Credentials(EMAIL, Secret(KEY), site)).get_profile()


def test_an_unknown_host_is_unreachable_and_named(open_client: Opener) -> None:
    with pytest.raises(Unreachable, match=r"no-such-host\.invalid"):
        open_client(Credentials(EMAIL, Secret(KEY), "https://no-such-host.invalid")).get_profile()


def test_a_server_that_does_not_answer_times_out(open_client: Opener) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        site = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TimedOut):
            open_client(Credentials(EMAIL, Secret(KEY), site), timeout=0.2).get_profile()


def test_a_closed_connection_is_unreachable(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = Reply(hang_up=True)
    with pytest.raises(Unreachable) as caught:
        open_client(credentials, retry=ONCE).get_profile()
    assert KEY not in "".join(traceback.format_exception(caught.value))


FAR = Credentials(EMAIL, Secret(KEY), "http://chat.example.invalid")
"""A site on this machine gets no proxy."""


@pytest.mark.parametrize("value", ["socks9://proxy.example:1", "socks5://proxy.example:1", "http://proxy.example:port"])
def test_a_proxy_variable_that_cannot_be_used_is_named(
    open_client: Opener, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(Unreachable, match="ALL_PROXY"):
        open_client(FAR).get_profile()


def test_the_environments_proxy_is_used(
    open_client: Opener, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.site)
    open_client(FAR).get_profile()
    assert server.seen[0].headers["host"] == "chat.example.invalid"


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "http://proxy.invalid:3128"])
@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_an_unreachable_proxy_is_reported_instead_of_the_site(
    open_client: Opener, monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_at_once:
        port = closed_at_once.getsockname()[1]
    monkeypatch.setenv(variable, address.format(port=port))
    with pytest.raises(Unreachable, match="The proxy for"):
        open_client(FAR, retry=ONCE).get_profile()


def test_a_site_on_this_machine_is_reached_without_the_proxy(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert open_client(credentials).get_profile().user_id == 7
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html>400 No required SSL certificate was sent</html>", "client_certificate_required"),
        ("<html>400 The SSL certificate error</html>", "bad_client_certificate"),
    ],
)
def test_the_pages_of_nginx_about_client_certificates_are_recognised(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, text: str, reason: str
) -> None:
    server.otherwise = html(400, text)
    with pytest.raises(TLSFailed) as caught:
        open_client(credentials).get_profile()
    assert caught.value.reason == reason


def test_the_error_for_http_on_a_tls_port_suggests_https(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = html(400, "<html>The plain HTTP request was sent to HTTPS port</html>")
    with pytest.raises(NotAZulipServer, match="https://"):
        open_client(credentials).get_profile()


def test_a_secret_that_the_server_repeats_is_not_in_the_error(open_client: Opener, server: ScriptedServer) -> None:
    server.otherwise = error(400, f"What is {PASSWORD} and {KEY}?", echo=[{"password": PASSWORD, KEY: KEY}])
    client = open_client(Credentials(EMAIL, Secret(KEY), server.site))
    with pytest.raises(KeybearerError) as caught:
        client.fetch_api_key(EMAIL, PASSWORD)
    assert isinstance(caught.value, APIError)
    shown = f"{caught.value!s} {caught.value!r} {caught.value.answer!r}"
    assert PASSWORD not in shown
    assert KEY not in shown


def test_no_error_refers_to_one_that_has_the_request(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = Reply(hang_up=True)
    with pytest.raises(Unreachable) as caught:
        open_client(credentials, retry=ONCE).get_profile()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_error_report_can_show_the_variables_of_a_failed_constructor(kind: type[Client | AsyncClient]) -> None:
    with pytest.raises(ResolutionError) as caught:
        kind(config_file="missing", environ={})
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert f"self = {kind.__name__}(not made)" in "".join(report.format())


def test_errors_survive_pickling(open_client: Opener, server: ScriptedServer, credentials: Credentials) -> None:
    server.otherwise = error(429, "API usage exceeded rate limit", "RATE_LIMIT_HIT", **{"retry-after": 1800})
    with pytest.raises(RateLimited) as caught:
        open_client(credentials).get_profile()
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (type(again), again.retry_after, str(again)) == (RateLimited, 1800.0, str(caught.value))
