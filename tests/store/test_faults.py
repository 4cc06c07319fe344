"""After a full disk, a killed process or a race, there is the old file or the new one, and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from keybearer.errors import FileError
from keybearer.store import atomic
from keybearer.store.atomic import atomic_write, exclusive, write_exclusive
from tests.store.processes import in_a_child

if TYPE_CHECKING:
    from _typeshed import TraceFunction

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

OLD, NEW = b"old content\n" * 50, b"new content\n" * 50


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


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
def test_a_disk_without_any_space_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
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
    """Kill this process before it runs the `count`th line of the module that writes."""
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


def test_a_file_that_only_looks_like_a_leftover_is_kept(tmp_path: Path) -> None:
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


def test_concurrent_writers_and_readers_see_only_complete_files(tmp_path: Path) -> None:
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


def test_no_other_writer_runs_while_the_directory_is_locked(tmp_path: Path) -> None:
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
