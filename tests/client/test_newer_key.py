"""A client continues with a newer key. Each test runs with both clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybearer import Credentials, Secret, resolve
from keybearer.errors import InvalidAPIKey
from tests.client.callers import Opener
from tests.client.key_server import KeyServer, write_zuliprc
from tests.client.scripted_server import (
    EMAIL,
    NEWER_KEY,
    Reply,
    ScriptedServer,
    Seen,
    refused,
)
from tests.client.zulip_queue import ZulipQueue, message_event


def test_a_running_client_continues_with_the_new_key_of_its_file(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    client = open_client(config_file=zuliprc)
    client.get_profile()
    server.otherwise = KeyServer(NEWER_KEY)
    write_zuliprc(zuliprc, NEWER_KEY, server.site)
    client.request("POST", "messages", {"content": "soup"})
    assert [one.form.get("content") for one in server.seen[1:]] == ["soup", "soup"]
    client.get_profile()
    assert len(server.seen) == 4


def test_the_file_that_was_found_is_the_one_that_is_read_again(
    open_client: Opener, server: ScriptedServer, zuliprc: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(zuliprc.parent)
    client = open_client(config_file="zuliprc")
    monkeypatch.chdir(tmp_path)
    server.otherwise = KeyServer(NEWER_KEY)
    write_zuliprc(zuliprc, NEWER_KEY, server.site)
    assert client.get_profile().user_id == 7


def test_a_refused_key_is_tried_again_only_once(open_client: Opener, server: ScriptedServer, zuliprc: Path) -> None:
    client = open_client(config_file=zuliprc)
    write_zuliprc(zuliprc, NEWER_KEY, server.site)
    server.otherwise = refused()
    with pytest.raises(InvalidAPIKey):
        client.get_profile()
    assert len(server.seen) == 2


def test_a_refused_key_is_not_tried_again_when_the_file_is_unchanged(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    server.otherwise = refused()
    with pytest.raises(InvalidAPIKey):
        open_client(config_file=zuliprc).get_profile()
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("email", "site"), [("iago@example.com", None), (EMAIL, "http://127.0.0.1:9")], ids=["email", "site"]
)
def test_the_key_of_another_account_or_site_is_not_used(
    open_client: Opener, server: ScriptedServer, zuliprc: Path, email: str, site: str | None
) -> None:
    client = open_client(config_file=zuliprc)
    server.otherwise = refused()
    write_zuliprc(zuliprc, NEWER_KEY, site or server.site, email)
    with pytest.raises(InvalidAPIKey, match="another account"):
        client.get_profile()
    assert len(server.seen) == 1


def test_the_error_names_a_file_that_is_broken_now(open_client: Opener, server: ScriptedServer, zuliprc: Path) -> None:
    client = open_client(config_file=zuliprc)
    server.otherwise = refused()
    zuliprc.write_text("no section here\n")
    with pytest.raises(InvalidAPIKey, match="zuliprc"):
        client.get_profile()


def test_given_credentials_are_read_again_by_the_function_given_with_them(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = KeyServer(NEWER_KEY)
    newer = Credentials(EMAIL, Secret(NEWER_KEY), server.site)
    assert open_client(credentials, read_anew=lambda: newer).get_profile().user_id == 7


def test_a_resolution_is_read_again_from_its_file(open_client: Opener, server: ScriptedServer, zuliprc: Path) -> None:
    client = open_client(resolve(config_file=zuliprc))
    write_zuliprc(zuliprc, NEWER_KEY, server.site)
    server.otherwise = KeyServer(NEWER_KEY)
    assert client.get_profile().user_id == 7


def test_listening_continues_with_the_new_key(open_client: Opener, server: ScriptedServer, zuliprc: Path) -> None:
    def replace_key(seen: Seen) -> Reply:
        write_zuliprc(zuliprc, NEWER_KEY, server.site)
        return refused()

    queue = server.otherwise = ZulipQueue([message_event(0)], replace_key, [message_event(1)])
    assert [one.id for one in open_client(config_file=zuliprc).take_events(2)] == [0, 1]
    assert len(queue.registrations) == 1
