"""Regenerating a key never loses both keys. Each test runs with both clients."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from keybearer import AsyncClient, Client, Credentials, ResolutionError, Secret, read_zuliprc
from keybearer.errors import InvalidAPIKey, KeyNotStored, RegenerationRefused, ServerFailed, Unreachable
from tests.client.callers import Opener
from tests.client.key_server import KeyServer, beside, write_zuliprc
from tests.client.scripted_server import (
    EMAIL,
    KEY,
    NEWER_KEY,
    Reply,
    ScriptedServer,
    html,
    refused,
)


def test_a_new_key_is_written_to_the_file_and_nothing_else_changes(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    before = zuliprc.read_text()
    client = open_client(config_file=zuliprc)
    assert client.regenerate_api_key().reveal() == NEWER_KEY
    assert zuliprc.read_text() == before.replace(KEY, NEWER_KEY)
    assert zuliprc.stat().st_mode & 0o777 == 0o600
    assert list(zuliprc.parent.iterdir()) == [zuliprc]
    assert client.get_profile().user_id == 7
    assert client.client.credentials == Credentials(EMAIL, Secret(NEWER_KEY), server.site)


def test_the_file_behind_a_link_is_changed_and_the_link_stays(
    open_client: Opener, zuliprc: Path, tmp_path: Path
) -> None:
    link = tmp_path / "linked"
    link.symlink_to(zuliprc)
    open_client(config_file=link).regenerate_api_key()
    assert link.is_symlink()
    assert NEWER_KEY in zuliprc.read_text()


def test_a_new_key_for_given_credentials_is_only_returned(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = KeyServer()
    client = open_client(credentials)
    assert client.regenerate_api_key() == Secret(NEWER_KEY)
    assert client.get_profile().user_id == 7


@pytest.mark.parametrize("override", ["email", "api_key", "site"])
def test_no_request_is_sent_unless_one_file_has_all_credentials(
    open_client: Opener, server: ScriptedServer, zuliprc: Path, override: str
) -> None:
    value = {"email": EMAIL, "api_key": KEY, "site": server.site}[override]
    with pytest.raises(RegenerationRefused, match=f"argument {override}"):
        open_client(config_file=zuliprc, **{override: value}).regenerate_api_key()
    assert server.seen == []


def test_a_directory_that_cannot_be_written_is_refused_before_any_call(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    beside(zuliprc).mkdir()
    with pytest.raises(RegenerationRefused):
        open_client(config_file=zuliprc).regenerate_api_key()
    assert server.seen == []
    assert KEY in zuliprc.read_text()


def test_a_file_that_now_has_another_account_is_not_changed(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    client = open_client(config_file=zuliprc)
    write_zuliprc(zuliprc, NEWER_KEY, server.site, "iago@example.com")
    with pytest.raises(RegenerationRefused, match="different credentials"):
        client.regenerate_api_key()
    assert server.seen == []


def test_a_refused_regeneration_changes_nothing(open_client: Opener, server: ScriptedServer, zuliprc: Path) -> None:
    server.otherwise = refused()
    with pytest.raises(InvalidAPIKey):
        open_client(config_file=zuliprc).regenerate_api_key()
    assert list(zuliprc.parent.iterdir()) == [zuliprc]
    assert KEY in zuliprc.read_text()


def test_the_error_says_so_when_a_failing_server_has_issued_no_new_key(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    server.script = [html(502)]
    with pytest.raises(ServerFailed, match="old key still works"):
        open_client(config_file=zuliprc).regenerate_api_key()
    assert list(zuliprc.parent.iterdir()) == [zuliprc]


def test_a_lost_response_is_an_error_and_leaves_a_note_beside_the_file(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    keys = server.otherwise = KeyServer()
    keys.answer = Reply(hang_up=True)
    client = open_client(config_file=zuliprc)
    with pytest.raises(KeyNotStored, match="answer was lost"):
        client.regenerate_api_key()
    assert "new API key for hamlet@example.com was requested" in beside(zuliprc).read_text()
    assert beside(zuliprc).stat().st_mode & 0o777 == 0o600
    with pytest.raises(InvalidAPIKey, match="stopped before it received the answer"):
        open_client(config_file=zuliprc).get_profile()


def test_the_error_says_that_the_outcome_is_unknown_if_the_server_stays_unavailable(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    server.otherwise = Reply(hang_up=True)
    with pytest.raises(Unreachable, match="may have issued a new key"):
        open_client(config_file=zuliprc).regenerate_api_key()
    server.otherwise = KeyServer()
    open_client(config_file=zuliprc).regenerate_api_key()
    assert NEWER_KEY in zuliprc.read_text()
    assert list(zuliprc.parent.iterdir()) == [zuliprc]


def test_a_file_that_changed_during_the_call_is_not_overwritten_and_the_new_key_is_stored_beside_it(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    keys = server.otherwise = KeyServer()
    keys.before_answer = lambda: write_zuliprc(zuliprc, "x" * 32, server.site, "iago@example.com")
    with pytest.raises(KeyNotStored) as caught:
        open_client(config_file=zuliprc).regenerate_api_key()
    assert "iago@example.com" in zuliprc.read_text()
    assert caught.value.kept == str(beside(zuliprc))
    assert read_zuliprc(beside(zuliprc)) == Credentials(EMAIL, Secret(NEWER_KEY), server.site)
    assert NEWER_KEY not in str(caught.value)


def test_a_program_killed_before_the_response_leaves_a_note_that_the_next_one_reports(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    keys = server.otherwise = KeyServer()
    script = "import sys, keybearer; keybearer.Client(config_file=sys.argv[1]).regenerate_api_key()"
    with subprocess.Popen([sys.executable, "-c", script, zuliprc]) as process:
        keys.before_answer = process.kill
    assert process.returncode == -signal.SIGKILL
    assert KEY in zuliprc.read_text()
    with pytest.raises(InvalidAPIKey, match="stopped before it received the answer"):
        open_client(config_file=zuliprc).get_profile()


def test_the_next_client_that_is_refused_finishes_a_replacement_that_was_killed_between_the_writes(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    server.otherwise = KeyServer(NEWER_KEY)
    beside(zuliprc).write_text(zuliprc.read_text().replace(KEY, NEWER_KEY))
    beside(zuliprc).chmod(0o600)
    assert open_client(config_file=zuliprc).get_profile().user_id == 7
    assert NEWER_KEY in zuliprc.read_text()
    assert list(zuliprc.parent.iterdir()) == [zuliprc]


def test_a_leftover_that_is_older_than_the_file_is_ignored(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    beside(zuliprc).write_text(zuliprc.read_text().replace(KEY, "y" * 32))
    os.utime(beside(zuliprc), (1, 1))
    server.otherwise = refused()
    with pytest.raises(InvalidAPIKey):
        open_client(config_file=zuliprc).get_profile()
    assert KEY in zuliprc.read_text()


def test_a_client_without_a_site_is_refused_before_anything_is_prepared(open_client: Opener, tmp_path: Path) -> None:
    with pytest.raises(ResolutionError) as caught:
        open_client(Credentials(EMAIL, Secret(KEY))).regenerate_api_key()
    assert caught.value.kind == "missing_site"


class SlowAnswer:
    """A server that has issued the new key and delays its answer."""

    def __init__(self, server: ScriptedServer) -> None:
        self.made, self.released = threading.Event(), threading.Event()
        keys = server.otherwise = KeyServer()
        keys.before_answer = self._wait

    def _wait(self) -> None:
        self.made.set()
        self.released.wait(30)

    def release_soon(self) -> None:
        threading.Timer(0.3, self.released.set).start()


async def cancel_regeneration(client: AsyncClient, answer: SlowAnswer) -> None:
    """Start a regeneration, and cancel it when the server has issued the key."""
    regeneration = asyncio.create_task(client.regenerate_api_key())
    assert await asyncio.to_thread(answer.made.wait, 30)
    regeneration.cancel()
    with pytest.raises(asyncio.CancelledError):
        await regeneration


async def test_a_cancelled_regeneration_is_completed_before_the_client_is_closed(
    server: ScriptedServer, zuliprc: Path
) -> None:
    answer = SlowAnswer(server)
    async with AsyncClient(config_file=zuliprc) as client:
        await cancel_regeneration(client, answer)
        answer.release_soon()
    assert NEWER_KEY in zuliprc.read_text()
    assert list(zuliprc.parent.iterdir()) == [zuliprc]


def test_a_regeneration_is_completed_when_its_event_loop_ends(server: ScriptedServer, zuliprc: Path) -> None:
    answer = SlowAnswer(server)
    client = AsyncClient(config_file=zuliprc)

    async def end_too_early() -> None:
        task = asyncio.create_task(client.regenerate_api_key())
        await asyncio.to_thread(answer.made.wait, 30)
        answer.release_soon()
        assert not task.done()

    asyncio.run(end_too_early())
    assert NEWER_KEY in zuliprc.read_text()
    assert list(zuliprc.parent.iterdir()) == [zuliprc]


def test_the_reason_is_logged_when_a_cancelled_regeneration_fails(
    server: ScriptedServer, zuliprc: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answer = SlowAnswer(server)
    client = AsyncClient(config_file=zuliprc)

    async def end_too_early() -> None:
        await cancel_regeneration(client, answer)
        write_zuliprc(zuliprc, "x" * 32, server.site, "iago@example.com")
        answer.released.set()

    asyncio.run(end_too_early())
    assert "could not be written into" in caplog.text
    assert NEWER_KEY not in caplog.text


def test_closing_the_client_in_another_thread_does_not_stop_a_regeneration(
    server: ScriptedServer, zuliprc: Path
) -> None:
    answer = SlowAnswer(server)
    client = Client(config_file=zuliprc)
    got: list[Secret] = []
    thread = threading.Thread(target=lambda: got.append(client.regenerate_api_key()))
    thread.start()
    assert answer.made.wait(30)
    client.close()
    answer.released.set()
    thread.join(30)
    assert got == [Secret(NEWER_KEY)]
    assert NEWER_KEY in zuliprc.read_text()


@pytest.mark.parametrize("make", ["keybearer.Client", "keybearer.AsyncClient"])
def test_ctrl_c_does_not_stop_a_regeneration(server: ScriptedServer, zuliprc: Path, make: str) -> None:
    answer = SlowAnswer(server)
    call = f"{make}(config_file=sys.argv[1]).regenerate_api_key()"
    script = f"import asyncio, sys, keybearer; {call if 'Async' not in make else f'asyncio.run({call})'}"
    with subprocess.Popen([sys.executable, "-c", script, zuliprc], stderr=subprocess.PIPE, text=True) as program:
        assert answer.made.wait(30)
        program.send_signal(signal.SIGINT)
        answer.release_soon()
        _, errors = program.communicate(timeout=30)
    assert program.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors
    assert NEWER_KEY in zuliprc.read_text()
    assert list(zuliprc.parent.iterdir()) == [zuliprc]


def test_a_pipe_is_refused_before_any_call(open_client: Opener, server: ScriptedServer, zuliprc: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, zuliprc.read_bytes())
    os.close(writing)
    try:
        with pytest.raises(RegenerationRefused, match="pipe or a device"):
            open_client(config_file=f"/dev/fd/{reading}").regenerate_api_key()
    finally:
        os.close(reading)
    assert server.seen == []


def test_a_key_that_a_command_prints_is_refused_with_the_place_of_the_command(
    open_client: Opener, server: ScriptedServer, tmp_path: Path
) -> None:
    path = tmp_path / "zuliprc"
    path.write_text(f"[api]\nemail={EMAIL}\npasscmd=echo {KEY}\nsite={server.site}\n")
    path.chmod(0o600)
    with pytest.raises(RegenerationRefused, match=rf"comes from a command \({path}:3\)"):
        open_client(config_file=path).regenerate_api_key()
    assert server.seen == []
