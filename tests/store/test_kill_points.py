"""A program that is killed at any step of a replacement leaves a file that works, or says what to do."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from keybearer import Credentials, Secret, read_zuliprc
from keybearer.errors import KeyNotStored
from keybearer.store.key_replacement import KeyReplacement, finish_replacement
from tests.client.scripted_server import EMAIL, KEY, NEWER_KEY
from tests.store.processes import in_a_child

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

SITE = "https://chat.example.com"
CREDENTIALS = Credentials(EMAIL, Secret(KEY), SITE)
NEW = Secret(NEWER_KEY)
SMALL = f"# mine\n[api]\nemail={EMAIL}\nkey={KEY}\nsite={SITE}\n"
LARGE = "# a long comment\n" * 600 + SMALL + "\n[zterm]\n" + "# another one\n" * 600
MOST = 500


def kill_at_step(count: int) -> None:
    """Kill this process before its `count`th system call."""
    left = count

    def watch(frame: object, event: str, called: object) -> None:
        nonlocal left
        if event == "c_call" and getattr(called, "__module__", "") in {"posix", "fcntl", "io", "_io"}:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


@pytest.fixture(params=["one name", "two names", "large"])
def zuliprc(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "zuliprc"
    write(path, LARGE if request.param == "large" else SMALL)
    if request.param == "two names":
        path.with_name("other").hardlink_to(path)
    return path


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


@pytest.fixture(params=[pytest.param(1, marks=pytest.mark.soak, id="every step"), pytest.param(17, id="some steps")])
def stride(request: pytest.FixtureRequest) -> int:
    stride: int = request.param
    return stride


def each_kill_point(zuliprc: Path, stride: int, begin: Callable[[], Callable[[], None]]) -> list[bool]:
    """Kill at steps of the work that `begin` prepares. Returns whether the new key exists after each."""
    before = zuliprc.read_text()
    outcomes = []
    for step in range(1, MOST, stride):
        for leftover in zuliprc.parent.glob("*.new"):
            leftover.unlink()
        write(zuliprc, before)

        def work(step: int = step) -> None:
            todo = begin()
            kill_at_step(step)
            todo()
            sys.setprofile(None)

        ended = in_a_child(work)
        assert ended in {0, -signal.SIGKILL}
        outcomes.append(has_new_key_after_recovery(zuliprc, before))
        if ended == 0:
            return outcomes
    raise AssertionError("it never ended")


def has_new_key_after_recovery(zuliprc: Path, before: str) -> bool:
    after = before.replace(KEY, NEWER_KEY)
    assert zuliprc.read_text() in {before, after}
    beside = zuliprc.with_name("zuliprc.new")
    if beside.exists() and not beside.read_text().startswith("# keybearer: a new API key"):
        assert beside.read_text().rstrip("\n") == after.rstrip("\n") or not beside.read_text()
    try:
        finish_replacement(zuliprc)
    except KeyNotStored:
        assert zuliprc.read_text() == before
        return False
    found = read_zuliprc(zuliprc).api_key
    assert zuliprc.read_text() == (after if found == NEW else before)
    return found == NEW


def test_a_new_key_is_never_lost_once_its_first_byte_is_written(zuliprc: Path, stride: int) -> None:
    outcomes = each_kill_point(zuliprc, stride, lambda: lambda: keep(KeyReplacement(zuliprc, CREDENTIALS)))
    assert outcomes[-1]
    assert outcomes == sorted(outcomes)


def test_the_new_key_can_be_lost_only_before_the_first_write(zuliprc: Path, stride: int) -> None:
    def begin() -> Callable[[], None]:
        change = KeyReplacement(zuliprc, CREDENTIALS)
        return lambda: keep(change)

    outcomes = each_kill_point(zuliprc, stride, begin)
    assert outcomes[-1]
    assert outcomes == sorted(outcomes)
    pages = 1 if zuliprc.stat().st_size < 4096 else 2
    assert outcomes.count(False) <= 3 * pages  # look at the size, go to the place, write; and for more pages again


def keep(change: KeyReplacement) -> None:
    change.keep(NEW)


def test_a_program_killed_while_it_prepares_leaves_the_old_key_and_does_not_block_the_next(
    zuliprc: Path, stride: int
) -> None:
    before = zuliprc.read_text()

    def prepare() -> None:
        KeyReplacement(zuliprc, CREDENTIALS).abandon()

    ended = None
    for step in range(1, MOST, stride):

        def work(step: int = step) -> None:
            kill_at_step(step)
            prepare()
            sys.setprofile(None)

        ended = in_a_child(work)
        assert zuliprc.read_text() == before
        prepare()  # the next program is not kept from it
        if ended == 0:
            break
    assert ended == 0
    assert not zuliprc.with_name("zuliprc.new").exists()
