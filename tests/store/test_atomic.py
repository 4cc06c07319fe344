"""A file that is replaced keeps its owner, its links and its mode, and is never open to more people than before."""

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


def test_a_lock_that_is_not_given_back_ends_in_an_error_that_says_so(tmp_path: Path) -> None:
    with exclusive(tmp_path / "a"), pytest.raises(FileError, match="locked"), exclusive(tmp_path / "b", patience=0.02):
        pass
    atomic_write(tmp_path / "b", NEW)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o377])
def test_a_replacement_is_the_owner_s_alone_and_takes_the_name_when_it_is_complete(tmp_path: Path, umask: int) -> None:
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


def test_a_replacement_has_what_others_wrote_by_its_path(tmp_path: Path) -> None:
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


def test_a_replacement_that_cannot_take_the_name_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "directory"
    path.mkdir()
    with pytest.raises(IsADirectoryError), replacement(path) as file:
        file.write(NEW)

    assert list(tmp_path.iterdir()) == [path]


def test_a_creation_is_the_owner_s_alone(tmp_path: Path) -> None:
    with creation(tmp_path / "secrets.json") as file:
        file.write(NEW)

    assert (tmp_path / "secrets.json").read_bytes() == NEW
    assert mode_of(tmp_path / "secrets.json") == 0o600


@pytest.mark.parametrize("target", ["file", "nowhere"])
def test_a_creation_goes_over_no_file_and_through_no_link(tmp_path: Path, target: str) -> None:
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
