"""A replaced file keeps its owner, links and mode, and is never accessible to more people than before."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from keybearer.errors import FileError
from keybearer.store.atomic import atomic_write, creation, exclusive, replacement
from tests.store.processes import in_a_child

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

OLD, NEW = b"old content\n" * 50, b"new content\n" * 50


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o377])
def test_a_new_file_has_mode_0600_with_any_umask(tmp_path: Path, umask: int) -> None:
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
def test_keep_mode_keeps_the_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "rc"
    path.write_bytes(OLD)
    path.chmod(mode)
    atomic_write(path, NEW, keep_mode=True)

    assert mode_of(path) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "rc"
    path.write_bytes(OLD)
    os.chown(path, 4242, 4243)
    atomic_write(path, NEW)

    assert (path.stat().st_uid, path.stat().st_gid) == (4242, 4243)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_file_of_another_user_is_refused_and_unchanged() -> None:
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


def test_writing_follows_a_symbolic_link(tmp_path: Path) -> None:
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


def test_a_link_to_a_missing_file_creates_the_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("missing/zuliprc")
    atomic_write(tmp_path / "link", NEW)

    assert (tmp_path / "missing" / "zuliprc").read_bytes() == NEW
    assert (tmp_path / "link").is_symlink()


def test_link_loops_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(FileError, match="cannot be written"):
        atomic_write(tmp_path / "a", NEW)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_only_regular_files_are_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "rc")

    with pytest.raises(FileError):
        atomic_write(tmp_path / "rc", NEW)
    assert [entry.name for entry in tmp_path.iterdir()] == ["rc"]


def test_an_impossible_file_name_raises_our_error(tmp_path: Path) -> None:
    for name in ("a\0b", "x" * 300):
        with pytest.raises(FileError):
            atomic_write(tmp_path / name, NEW)


def test_missing_directories_are_created_with_mode_0700(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a" / "b" / "rc", NEW)

    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a" / "b") == 0o700


def test_the_error_for_a_directory_that_cannot_be_created_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")

    with pytest.raises(FileError, match=r"a/rc cannot be written"):
        atomic_write(tmp_path / "a" / "rc", NEW)


def test_a_lock_that_is_not_released_is_reported(tmp_path: Path) -> None:
    with exclusive(tmp_path / "a"), pytest.raises(FileError, match="locked"), exclusive(tmp_path / "b", patience=0.02):
        pass
    atomic_write(tmp_path / "b", NEW)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o377])
def test_a_replacement_has_mode_0600_and_gets_its_name_when_complete(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "secrets.json"
    path.write_bytes(OLD)
    before = os.umask(umask)
    try:
        with replacement(path) as file:
            file.write(NEW)
            assert path.read_bytes() == OLD
            assert mode_of(Path(file.name)) == 0o600
    finally:
        os.umask(before)

    assert path.read_bytes() == NEW
    assert mode_of(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_replacement_can_be_written_by_its_path(tmp_path: Path) -> None:
    with replacement(tmp_path / "backup.db") as file:
        Path(file.name).write_bytes(NEW)

    assert (tmp_path / "backup.db").read_bytes() == NEW


def test_a_replacement_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_bytes(OLD)
    with pytest.raises(KeyboardInterrupt), replacement(path) as file:
        file.write(NEW)
        raise KeyboardInterrupt

    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_a_replacement_that_cannot_be_renamed_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "directory"
    path.mkdir()
    with pytest.raises(IsADirectoryError), replacement(path) as file:
        file.write(NEW)

    assert list(tmp_path.iterdir()) == [path]


def test_a_creation_has_mode_0600(tmp_path: Path) -> None:
    with creation(tmp_path / "secrets.json") as file:
        file.write(NEW)

    assert (tmp_path / "secrets.json").read_bytes() == NEW
    assert mode_of(tmp_path / "secrets.json") == 0o600


@pytest.mark.parametrize("target", ["file", "nowhere"])
def test_a_creation_overwrites_no_file_and_follows_no_link(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "link").symlink_to(target)
    for name in ("file", "link"):
        with pytest.raises(FileExistsError), creation(tmp_path / name):
            pass

    assert (tmp_path / "file").read_bytes() == OLD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_creation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), creation(tmp_path / "secrets.json"):
        raise KeyboardInterrupt

    assert list(tmp_path.iterdir()) == []
