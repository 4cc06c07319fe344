"""Redirects lose no call and do not send the key elsewhere. Each test runs with both clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keybearer import Credentials, Secret
from keybearer.client.flow.redirects import target
from keybearer.client.flow.steps import Request, Response
from keybearer.errors import Redirected
from tests.client.callers import Opener
from tests.client.scripted_server import PROFILE, Reply, ScriptedServer, serving, success


def redirect(location: str, status: int = 301) -> Reply:
    return Reply(status, body=b"", headers={"Location": location})


@pytest.fixture
def elsewhere() -> Iterator[ScriptedServer]:
    with serving() as server:
        yield server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_reading_follows_a_redirect_within_the_site(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, status: int
) -> None:
    server.script = [redirect("/api/v1/users/me/", status), success(**PROFILE)]
    open_client(credentials).get_profile()
    assert server.paths == ["/api/v1/users/me", "/api/v1/users/me/"]
    assert server.seen[0].headers["authorization"] == server.seen[1].headers["authorization"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_a_change_does_not_follow_a_redirect_even_within_the_site(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, method: str, status: int
) -> None:
    server.script = [redirect("/api/v1/messages/", status)]
    with pytest.raises(Redirected):
        open_client(credentials).request(method, "messages", {"content": "hello"})
    assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_is_ever_sent_to_another_site(
    open_client: Opener, server: ScriptedServer, elsewhere: ScriptedServer, credentials: Credentials, method: str
) -> None:
    server.script = [redirect(f"{elsewhere.site}/api/v1/users/me")]
    with pytest.raises(Redirected) as caught:
        open_client(credentials).request(method, "users/me")
    assert f"change site to {elsewhere.site}" in caught.value.hint
    assert elsewhere.seen == []


@pytest.mark.parametrize(
    ("location", "suggestion"),
    [
        ("https://127.0.0.1/api/v1/users/me", "https://127.0.0.1"),
        ("https://chat.example.com/zulip/api/v1/users/me", "https://chat.example.com/zulip"),
        ("https://eve:secret@chat.example.com/api/v1/users/me?next=x#y", "https://chat.example.com"),
        ("//chat.example.com/api/v1/users/me", "http://chat.example.com"),
        ("https://sso.example.com/login?next=/api", "https://sso.example.com"),
    ],
)
def test_the_error_suggests_the_site_that_the_redirect_points_to(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, location: str, suggestion: str
) -> None:
    server.script = [redirect(location)]
    with pytest.raises(Redirected) as caught:
        open_client(credentials).get_profile()
    assert f"change site to {suggestion}." in caught.value.hint
    assert "secret" not in str(caught.value)
    assert "next" not in caught.value.location


@pytest.mark.parametrize("location", ["", "http://[::1", "http://127.0.0.1:port/"])
def test_a_redirect_to_nowhere_is_not_followed(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, location: str
) -> None:
    server.script = [redirect(location)]
    with pytest.raises(Redirected):
        open_client(credentials).get_profile()


@pytest.mark.parametrize("location", ["javascript:alert(1)", "mailto:a@x.org", "data:,x", "file:///etc/passwd"])
def test_a_redirect_to_another_scheme_suggests_no_site(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, location: str
) -> None:
    server.otherwise = lambda _: redirect(location)
    with pytest.raises(Redirected) as caught:
        open_client(credentials).get_profile()
    assert "other than a web address" in str(caught.value)
    assert "change site" not in str(caught.value)


def test_redirects_in_a_loop_end(open_client: Opener, server: ScriptedServer, credentials: Credentials) -> None:
    server.otherwise = redirect("/api/v1/users/me")
    with pytest.raises(Redirected, match="in a loop"):
        open_client(credentials).get_profile()
    assert len(server.seen) == 6


PLAIN = Request("GET", "http://chat.example.com/api/v1/users/me", 5.0, "x", authorization=Secret("Basic x"))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_error_says_that_the_key_was_sent_unencrypted(method: str) -> None:
    response = Response(301, {"location": "https://chat.example.com/api/v1/users/me"}, b"")
    request = PLAIN._replace(method=method)
    with pytest.raises(Redirected, match="API key was just sent unencrypted over the network"):
        target(request, response, "http://chat.example.com", 0)
    without_key = request._replace(authorization=None)
    with pytest.raises(Redirected, match=r"Nothing was sent there$"):
        target(without_key, response, "http://chat.example.com", 0)


def test_a_key_that_stayed_on_this_machine_was_not_sent_over_the_network(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.script = [redirect("https://127.0.0.1/api/v1/users/me")]
    with pytest.raises(Redirected, match=r"Nothing was sent there$"):
        open_client(credentials).get_profile()
