"""The requests of calls, and their results. Each test runs with both clients."""

from __future__ import annotations

import base64
import inspect
import io
from pathlib import Path

import pytest

from keybearer import AsyncClient, Client, Credentials, ResolutionError, Secret
from keybearer.errors import NotAZulipServer, UnusableRequest
from tests.client.callers import Opener
from tests.client.scripted_server import EMAIL, KEY, PROFILE, ScriptedServer, success


def test_constructing_a_client_opens_no_connection(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    open_client(credentials)
    assert server.seen == []


def test_the_profile_is_a_typed_value_that_also_has_the_names_of_the_wire(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = success(**PROFILE, of_the_future={"a": 1})
    profile = open_client(credentials).get_profile()
    assert (profile.user_id, profile.email, profile.is_bot) == (7, EMAIL, False)
    assert profile["of_the_future"] == {"a": 1}
    assert profile.get("absent", 5) == 5
    assert "result" in profile


def test_request_returns_the_whole_answer_as_a_dict(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = success(anything=[1, 2])
    assert open_client(credentials).request("GET", "users/me") == {"result": "success", "msg": "", "anything": [1, 2]}
    assert server.seen[0].path == "/api/v1/users/me"


@pytest.mark.parametrize("path", ["users/me", "/users/me", "/api/v1/users/me"])
def test_a_path_may_be_written_in_every_usual_form(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, path: str
) -> None:
    open_client(credentials).request("get", path)
    assert server.paths == ["/api/v1/users/me"]


@pytest.mark.parametrize("path", ["", "/", "https://elsewhere.example/api/v1/users/me", "../json/x", "a/../b", "a?b=c"])
def test_a_path_outside_the_api_is_refused_before_a_request(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, path: str
) -> None:
    with pytest.raises(UnusableRequest):
        open_client(credentials).request("GET", path)
    assert server.seen == []


def test_get_sends_values_in_the_query_as_text_or_json(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    open_client(credentials).request("GET", "messages", {"anchor": "newest", "num_before": 5, "narrow": [["is", "dm"]],
                                                         "apply_markdown": False, "absent": None})  # fmt: skip
    (seen,) = server.seen
    assert seen.query == {
        "anchor": "newest",
        "num_before": "5",
        "narrow": '[["is","dm"]]',
        "apply_markdown": "false",
    }
    assert seen.body == b""


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_change_sends_its_values_in_a_form(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, method: str
) -> None:
    open_client(credentials).request(method, "users/me", {"full_name": "Prinz Ä & Söhne", "role": 400})
    (seen,) = server.seen
    assert seen.method == method
    assert seen.query == {}
    assert seen.form == {"full_name": "Prinz Ä & Söhne", "role": "400"}


def test_an_email_outside_latin_1_authenticates_in_utf_8(open_client: Opener, server: ScriptedServer) -> None:
    open_client(Credentials("日本@example.com", Secret(KEY), server.site)).get_profile()
    kind, _, text = server.seen[0].headers["authorization"].partition(" ")
    assert kind == "Basic"
    assert base64.b64decode(text).decode() == f"日本@example.com:{KEY}"


def test_the_programs_name_comes_first_in_the_user_agent(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    open_client(credentials, client_name="LunchBot/2").get_profile()
    assert server.seen[0].headers["user-agent"].startswith("LunchBot/2 Keybearer/")


def test_a_client_name_with_a_line_break_is_refused(open_client: Opener, credentials: Credentials) -> None:
    with pytest.raises(UnusableRequest):
        open_client(credentials, client_name="Bot\r\nX-Evil: 1")


def test_server_settings_are_requested_without_the_key(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = success(zulip_version="11.0", zulip_feature_level=372, realm_url=server.site)
    settings = open_client(credentials).get_server_settings()
    assert (settings.zulip_version, settings.zulip_feature_level) == ("11.0", 372)
    assert "authorization" not in server.seen[0].headers


def test_a_client_without_a_key_fetches_one_with_a_password(open_client: Opener, server: ScriptedServer) -> None:
    server.otherwise = success(api_key=KEY, email=EMAIL, user_id=7)
    fetched = open_client.adopt(open_client.kind.unauthenticated(server.site)).fetch_api_key("ham", "to be or not")
    assert (fetched.email, fetched.api_key.reveal()) == (EMAIL, KEY)
    assert KEY not in repr(fetched)
    assert server.seen[0].form == {"username": "ham", "password": "to be or not"}
    assert "authorization" not in server.seen[0].headers


def test_a_secret_is_never_in_a_url(open_client: Opener, server: ScriptedServer, credentials: Credentials) -> None:
    with pytest.raises(UnusableRequest):
        open_client(credentials).request("GET", "users/me", {"api_key": Secret(KEY)})
    assert server.seen == []


def test_without_a_site_every_call_says_that_it_is_missing(open_client: Opener) -> None:
    client = open_client(Credentials(EMAIL, Secret(KEY)))
    with pytest.raises(ResolutionError) as caught:
        client.get_profile()
    assert caught.value.kind == "missing_site"


def test_a_client_shows_no_part_of_its_key(open_client: Opener, credentials: Credentials) -> None:
    shown = repr(open_client(credentials).client)
    assert EMAIL in shown
    assert KEY[:6] not in shown


def test_credentials_are_not_mixed_with_settings(open_client: Opener, credentials: Credentials) -> None:
    with pytest.raises(TypeError, match="site"):
        open_client(credentials, site="https://elsewhere.example")


def test_a_client_finds_credentials_as_resolve_does(
    open_client: Opener, server: ScriptedServer, tmp_path: Path
) -> None:
    path = tmp_path / "zuliprc"
    path.write_text(f"[api]\nemail={EMAIL}\nkey={KEY}\nsite={server.site}\n")
    path.chmod(0o600)
    assert open_client(config_file=path).get_profile().user_id == 7


def test_a_file_is_uploaded_under_its_own_name_without_its_directory(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, tmp_path: Path
) -> None:
    server.otherwise = success(url="/user_uploads/1/x/ünïcode.txt", filename="ünïcode.txt")
    path = tmp_path / "ünïcode.txt"
    path.write_bytes(b"\x00content\xff")
    with path.open("rb") as file:
        uploaded = open_client(credentials).upload_file(file)
    (seen,) = server.seen
    assert uploaded.url == "/user_uploads/1/x/ünïcode.txt"
    assert seen.headers["content-type"].startswith("multipart/form-data")
    assert b"\x00content\xff" in seen.body
    assert "ünïcode.txt".encode() in seen.body
    assert str(tmp_path).encode() not in seen.body


def test_a_file_open_as_text_is_refused(open_client: Opener, credentials: Credentials) -> None:
    with pytest.raises(UnusableRequest):
        open_client(credentials).upload_file(io.StringIO("text"))


def test_an_answer_without_required_fields_is_not_from_zulip(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = success(user_id="seven", email=EMAIL, full_name="Hamlet")
    with pytest.raises(NotAZulipServer, match="user_id"):
        open_client(credentials).get_profile()


def test_an_unusual_value_of_an_optional_field_is_accepted(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = success(**{**PROFILE, "role": "a role of the future"})
    profile = open_client(credentials).get_profile()
    assert profile.role is None
    assert profile["role"] == "a role of the future"


def test_cookies_are_not_kept(open_client: Opener, server: ScriptedServer, credentials: Credentials) -> None:
    reply = success(**PROFILE)
    server.otherwise = type(reply)(json=reply.json, headers={"Set-Cookie": "sessionid=abc; Path=/"})
    client = open_client(credentials)
    client.get_profile()
    client.get_profile()
    assert "cookie" not in server.seen[1].headers


def test_netrc_is_never_used(open_client: Opener, server: ScriptedServer, tmp_path: Path,
                             monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password evil\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.otherwise = success(zulip_version="11.0", zulip_feature_level=372)
    open_client.adopt(open_client.kind.unauthenticated(server.site)).get_server_settings()
    assert "authorization" not in server.seen[0].headers


def test_a_closed_client_connects_again_for_a_call(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    client = open_client(credentials)
    client.get_profile()
    client.close()
    client.get_profile()
    assert len(server.seen) == 2


def test_both_clients_have_the_same_calls_with_the_same_arguments() -> None:
    def calls(kind: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(value)
            for name, value in vars(kind).items()
            if callable(value) and not name.startswith("_") and name not in {"close", "aclose", "events"}
        }

    assert calls(Client) == calls(AsyncClient)


def test_parameters_that_the_server_has_ignored_are_reported(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    server.otherwise = success(ignored_parameters_unsupported=["short_name", KEY])
    answer = open_client(credentials).update_bot(7, short_name="x", full_name="X")
    assert answer.ignored_parameters == ("short_name", KEY)
    assert "PATCH bots/7 and has ignored them: short_name" in caplog.text
    assert KEY not in caplog.text
