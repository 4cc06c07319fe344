"""Replacing the key in a file: obstacles are found in advance, and an interruption loses no key."""

from __future__ import annotations

import contextlib
import resource
import threading
from pathlib import Path

import pytest

from keybearer import Credentials, Secret, read_zuliprc
from keybearer.errors import KeyNotStored, RegenerationRefused
from keybearer.store.key_replacement import KeyReplacement, finish_replacement, interrupted
from tests.client.scripted_server import EMAIL, KEY, NEWER_KEY

SITE = "https://chat.example.com"
CREDENTIALS = Credentials(EMAIL, Secret(KEY), SITE)
NEW = Secret(NEWER_KEY)


@pytest.fixture
def zuliprc(tmp_path: Path) -> Path:
    path = tmp_path / "zuliprc"
    path.write_text(f"[api]\nemail={EMAIL}\nkey={KEY}\nsite={SITE}\n")
    path.chmod(0o600)
    return path


def beside(zuliprc: Path) -> Path:
    return zuliprc.with_name("zuliprc.new")


def test_a_finished_replacement_leaves_the_new_key_and_nothing_beside_it(zuliprc: Path) -> None:
    KeyReplacement(zuliprc, CREDENTIALS).keep(NEW)
    assert zuliprc.read_text() == f"[api]\nemail={EMAIL}\nkey={NEWER_KEY}\nsite={SITE}\n"
    assert list(zuliprc.parent.iterdir()) == [zuliprc]


def test_an_abandoned_replacement_changes_nothing(zuliprc: Path) -> None:
    KeyReplacement(zuliprc, CREDENTIALS).abandon()
    assert read_zuliprc(zuliprc) == CREDENTIALS
    assert list(zuliprc.parent.iterdir()) == [zuliprc]


def test_only_one_replacement_runs_at_a_time(zuliprc: Path) -> None:
    change = KeyReplacement(zuliprc, CREDENTIALS)
    with pytest.raises(RegenerationRefused, match="Another program"):
        KeyReplacement(zuliprc, CREDENTIALS)
    change.keep(NEW)
    KeyReplacement(zuliprc, Credentials(EMAIL, NEW, SITE)).abandon()


def test_only_one_of_many_simultaneous_replacements_starts(zuliprc: Path) -> None:
    begun: list[KeyReplacement] = []
    barrier = threading.Barrier(8)

    def begin() -> None:
        barrier.wait()
        with contextlib.suppress(RegenerationRefused):
            begun.append(KeyReplacement(zuliprc, CREDENTIALS))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1
    begun[0].keep(NEW)


def test_a_reader_waits_for_a_running_replacement(zuliprc: Path) -> None:
    change = KeyReplacement(zuliprc, CREDENTIALS)
    threading.Timer(0.2, change.keep, (NEW,)).start()
    finish_replacement(zuliprc)
    assert read_zuliprc(zuliprc).api_key == NEW


def test_a_running_replacement_is_not_taken_for_an_interrupted_one(zuliprc: Path) -> None:
    change = KeyReplacement(zuliprc, CREDENTIALS)
    assert interrupted(zuliprc) is None
    change.abandon()


def test_a_replacement_of_unknown_outcome_is_reported_and_does_not_block_the_next(zuliprc: Path) -> None:
    KeyReplacement(zuliprc, CREDENTIALS).leave()
    found = interrupted(zuliprc)
    assert found is not None
    assert not found.has_key
    with pytest.raises(KeyNotStored, match="keybearer login"):
        finish_replacement(zuliprc)
    KeyReplacement(zuliprc, CREDENTIALS).keep(NEW)
    assert read_zuliprc(zuliprc).api_key == NEW


def test_a_leftover_with_a_newer_key_is_not_overwritten(zuliprc: Path) -> None:
    beside(zuliprc).write_text(zuliprc.read_text().replace(KEY, NEWER_KEY))
    with pytest.raises(RegenerationRefused, match=f"mv {beside(zuliprc)} {zuliprc}"):
        KeyReplacement(zuliprc, CREDENTIALS)
    assert read_zuliprc(beside(zuliprc)).api_key == NEW


def test_a_leftover_of_another_account_is_not_used(zuliprc: Path) -> None:
    beside(zuliprc).write_text(zuliprc.read_text().replace(KEY, NEWER_KEY).replace("hamlet", "iago"))
    finish_replacement(zuliprc)
    assert read_zuliprc(zuliprc) == CREDENTIALS
    assert read_zuliprc(beside(zuliprc)).api_key == NEW


def test_a_symbolic_link_beside_the_file_is_not_followed(zuliprc: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    beside(zuliprc).symlink_to(target)
    with pytest.raises(RegenerationRefused):
        KeyReplacement(zuliprc, CREDENTIALS)
    finish_replacement(zuliprc)
    assert target.read_text() == "precious"
    assert read_zuliprc(zuliprc) == CREDENTIALS


def test_a_full_disk_is_refused_while_the_old_key_still_works(zuliprc: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(RegenerationRefused, match="cannot be written"):
            KeyReplacement(zuliprc, CREDENTIALS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(zuliprc.parent.iterdir()) == [zuliprc]


def test_a_key_that_cannot_be_written_into_the_file_is_stored_beside_it(zuliprc: Path) -> None:
    change = KeyReplacement(zuliprc, CREDENTIALS)
    zuliprc.unlink()
    with pytest.raises(KeyNotStored) as caught:
        change.keep(NEW)
    assert caught.value.kept == str(beside(zuliprc))
    assert read_zuliprc(beside(zuliprc)).api_key == NEW
    assert NEWER_KEY not in str(caught.value)


def test_concurrent_readers_never_take_a_running_replacement_for_an_interrupted_one(zuliprc: Path) -> None:
    over = threading.Event()
    taken_for_interrupted: list[object] = []

    def look_on() -> None:
        while not over.is_set():
            taken_for_interrupted.extend(filter(None, [interrupted(zuliprc)]))

    onlookers = [threading.Thread(target=look_on) for _ in range(2)]
    for onlooker in onlookers:
        onlooker.start()
    try:
        for _ in range(100):
            change = KeyReplacement(zuliprc, CREDENTIALS)
            with pytest.raises(RegenerationRefused, match="Another program"):
                KeyReplacement(zuliprc, CREDENTIALS)
            change.abandon()
    finally:
        over.set()
        for onlooker in onlookers:
            onlooker.join()

    assert taken_for_interrupted == []
