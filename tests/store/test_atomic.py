"""A file is the old one or the new one, whatever happens, and never open to more people than before."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from keybearer.errors import FileError
from keybearer.store import atomic
from keybearer.store.atomic import atomic_write, exclusive, write_exclusive

if TYPE_CHECKING:
    from _typeshed import TraceFunction

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

OLD, NEW = b"old content\n" * 50, b"new content\n" * 50


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def in_a_child(work: Callable[[], object]) -> int:
    """Run `work` in a child process and give how it ended: an exit code, or the negative number of a signal."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(60)
    assert child.exitcode is not None
    return child.exitcode


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o377])
def test_a_new_file_is_the_owner_s_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        atomic_write(tmp_path / "rc", NEW)
    finally:
        os.umask(before)

    assert (tmp_path / "rc").read_bytes() == NEW
    assert mode_of(tmp_path / "rc") == 0o600


@pytest.mark.parametrize(
    ("before", "after"), [(0o644, 0o600), (0o600, 0o600), (0o400, 0o400), (0o200, 0o200), (0o4755, 0o600)]
)
def test_a_mode_is_never_widened(tmp_path: Path, before: int, after: int) -> None:
    path = tmp_path / "rc"
    path.write_bytes(OLD)
    path.chmod(before)
    atomic_write(path, NEW)

    assert mode_of(path) == after


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
def test_a_mode_is_kept_where_that_is_asked_for(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "rc"
    path.write_bytes(OLD)
    path.chmod(mode)
    atomic_write(path, NEW, keep_mode=True)

    assert mode_of(path) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_owner_of_a_file_stays_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "rc"
    path.write_bytes(OLD)
    os.chown(path, 4242, 4243)
    atomic_write(path, NEW)

    assert (path.stat().st_uid, path.stat().st_gid) == (4242, 4243)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_file_of_somebody_else_is_refused_and_stays() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o777)
        path = directory / "rc"
        path.write_bytes(OLD)
        path.chmod(0o644)

        def write_as_somebody_else() -> None:
            os.setgid(4243)
            os.setuid(4242)
            try:
                atomic_write(path, NEW)
            except FileError:
                os._exit(7)

        assert in_a_child(write_as_somebody_else) == 7
        assert path.read_bytes() == OLD
        assert [entry.name for entry in directory.iterdir()] == ["rc"]


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "zuliprc"
    target.write_bytes(OLD)
    link, link_to_link = tmp_path / "link", tmp_path / "link2"
    link.symlink_to("real/zuliprc")
    link_to_link.symlink_to(link)
    atomic_write(link_to_link, NEW)

    assert link.is_symlink()
    assert link_to_link.is_symlink()
    assert target.read_bytes() == NEW
    assert not target.is_symlink()


def test_a_link_to_nothing_gets_its_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("missing/zuliprc")
    atomic_write(tmp_path / "link", NEW)

    assert (tmp_path / "missing" / "zuliprc").read_bytes() == NEW
    assert (tmp_path / "link").is_symlink()


def test_links_that_go_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(FileError, match="cannot be written"):
        atomic_write(tmp_path / "a", NEW)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "rc")

    with pytest.raises(FileError):
        atomic_write(tmp_path / "rc", NEW)
    assert [entry.name for entry in tmp_path.iterdir()] == ["rc"]


def test_a_name_that_no_file_can_have_is_an_error_of_ours(tmp_path: Path) -> None:
    for name in ("a\0b", "x" * 300):
        with pytest.raises(FileError):
            atomic_write(tmp_path / name, NEW)


def test_missing_directories_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a" / "b" / "rc", NEW)

    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a" / "b") == 0o700


def test_a_directory_that_cannot_be_made_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")

    with pytest.raises(FileError, match=r"a/rc cannot be written"):
        atomic_write(tmp_path / "a" / "rc", NEW)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rc"
    path.write_bytes(OLD)

    def write_without_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            atomic_write(path, NEW)
        except FileError as error:
            os._exit(7 if "too large" in str(error) else 8)

    assert in_a_child(write_without_room) == 7
    assert path.read_bytes() == OLD
    assert [entry.name for entry in tmp_path.iterdir()] == ["rc"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_disk_without_a_byte_left_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "keybearer", str(tmp_path)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        path = tmp_path / "rc"
        path.write_bytes(OLD)
        with (tmp_path / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space"):
            while True:
                filler.write(b"x" * 512)
        with pytest.raises(FileError, match="No space left"):
            atomic_write(path, b"n" * 5000)

        assert path.read_bytes() == OLD
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["filler", "rc"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def kill_at_line(count: int) -> None:
    """Have this process killed before it runs its `count`th line of the module that writes."""
    left = count

    def strike(frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        nonlocal left
        if frame.f_code.co_filename == atomic.__file__ and event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return strike

    sys.settrace(strike)


def test_a_process_that_is_killed_at_any_line_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "rc"
    seen = set()
    for line in range(1, 200):
        path.write_bytes(OLD)
        path.chmod(0o600)

        def write_until_killed(line: int = line) -> None:
            kill_at_line(line)
            atomic_write(path, NEW)
            sys.settrace(None)

        ended = in_a_child(write_until_killed)
        content = path.read_bytes()
        seen.add((content, ended))
        assert content in {OLD, NEW}
        assert all(mode_of(entry) == 0o600 for entry in tmp_path.iterdir())
        if ended == 0:
            break
    assert seen >= {(OLD, -signal.SIGKILL), (NEW, -signal.SIGKILL), (NEW, 0)}
    assert [entry.name for entry in tmp_path.iterdir()] == ["rc"], "the next writer removes what the killed ones left"


def test_what_only_looks_like_a_leftover_is_left_alone(tmp_path: Path) -> None:
    for name in (".keybearer-notes.tmp", ".keybearer-0123456789abcdef.tmp.bak", "keybearer-0123456789abcdef.tmp"):
        (tmp_path / name).touch()
    atomic_write(tmp_path / "rc", NEW)

    assert len(list(tmp_path.iterdir())) == 4


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rc"
    path.write_bytes(OLD)

    def interrupt(frame: object, event: str, argument: object) -> None:
        if event == "c_call" and getattr(argument, "__name__", "") == "fsync":
            sys.setprofile(None)
            raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            atomic_write(path, NEW)
    finally:
        sys.setprofile(None)
    assert path.read_bytes() == OLD
    assert [entry.name for entry in tmp_path.iterdir()] == ["rc"]


def test_writers_in_a_race_leave_one_whole_file_and_a_reader_sees_only_whole_ones(tmp_path: Path) -> None:
    path = tmp_path / "rc"
    contents = [bytes([65 + number]) * 4000 for number in range(4)]
    path.write_bytes(contents[0])
    seen: set[bytes] = set()
    done = threading.Event()

    def write(content: bytes) -> None:
        for _ in range(40):
            atomic_write(path, content)

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    writers = [multiprocessing.get_context("fork").Process(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    done.set()
    reader.join(60)

    assert [writer.exitcode for writer in writers] == [0] * 4
    assert path.read_bytes() in contents
    assert seen <= set(contents)
    assert [entry.name for entry in tmp_path.iterdir()] == ["rc"]


def test_nobody_else_writes_while_one_has_the_directory_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "counter"
    path.write_text("0")

    def count() -> None:
        for _ in range(50):
            with exclusive(path) as file:
                write_exclusive(file, str(int(file.read_text()) + 1).encode())

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert path.read_text() == "200"


def test_a_lock_that_is_not_given_back_ends_in_an_error_that_says_so(tmp_path: Path) -> None:
    with exclusive(tmp_path / "a"), pytest.raises(FileError, match="locked"), exclusive(tmp_path / "b", patience=0.02):
        pass
    atomic_write(tmp_path / "b", NEW)
