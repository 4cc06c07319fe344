"""A file that cannot be replaced is found in advance, or overwritten if possible."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keybearer import Credentials, Secret, read_zuliprc, write_zuliprc
from keybearer.errors import FileError, InvalidArgument, RegenerationRefused
from keybearer.store.key_replacement import KeyReplacement, finish_replacement
from keybearer.store.obstacles import require_replaceable
from tests.client.scripted_server import EMAIL, KEY, NEWER_KEY
from tests.store.processes import in_a_child

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

SITE = "https://chat.example.com"
CREDENTIALS = Credentials(EMAIL, Secret(KEY), SITE)
NEW = Secret(NEWER_KEY)
TEXT = f"# mine\n[api]\nemail={EMAIL}\nkey={KEY}\nsite={SITE}\n"
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount, set attributes and become somebody else")


@pytest.fixture
def zuliprc() -> Iterator[Path]:
    """A zuliprc in a directory that every user may search, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        path = Path(name, "zuliprc")
        path.write_text(TEXT)
        path.chmod(0o600)
        yield path


def run(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"{command[0]} does not work here")


@pytest.fixture
def attribute() -> Iterator[Callable[[str, Path], None]]:
    changed: list[Path] = []

    def give(flag: str, path: Path) -> None:
        run("chattr", f"+{flag}", path)
        changed.append(path)

    yield give
    for path in changed:
        subprocess.run(["chattr", "-i", "-a", str(path)], check=True)


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    mounted: list[Path] = []

    def do(target: Path, *options: object) -> None:
        run("mount", *options, target)
        mounted.append(target)

    yield do
    for target in reversed(mounted):
        subprocess.run(["umount", str(target)], check=True)


def assert_refused_untouched(zuliprc: Path, match: str) -> None:
    """A login and a regeneration are refused, and leave nothing behind."""
    before = sorted(zuliprc.parent.iterdir())
    with pytest.raises(FileError, match=match):
        require_replaceable(zuliprc)
    with pytest.raises(RegenerationRefused):
        KeyReplacement(zuliprc, CREDENTIALS)
    assert zuliprc.read_text() == TEXT
    assert sorted(zuliprc.parent.iterdir()) == before


@only_root
@pytest.mark.parametrize("flag", ["i", "a"], ids=["immutable", "append-only"])
@pytest.mark.parametrize("what", ["file", "directory"])
def test_an_attribute_is_found_in_advance(
    zuliprc: Path, attribute: Callable[[str, Path], None], flag: str, what: str
) -> None:
    attribute(flag, zuliprc if what == "file" else zuliprc.parent)
    assert_refused_untouched(zuliprc, "immutable or append-only|no file can be created")


@only_root
def test_a_read_only_file_system_is_found_in_advance(zuliprc: Path) -> None:
    run("mount", "--bind", zuliprc.parent, zuliprc.parent)
    run("mount", "-o", "remount,ro,bind", zuliprc.parent)
    try:
        assert_refused_untouched(zuliprc, "no file can be created")
    finally:
        subprocess.run(["umount", str(zuliprc.parent)], check=True)


@only_root
def test_a_directory_of_another_user_is_found_in_advance(zuliprc: Path) -> None:
    os.chown(zuliprc, 4242, 4242)

    def as_somebody_else() -> None:
        os.setgroups([])
        os.setgid(4242)
        os.setuid(4242)
        assert_refused_untouched(zuliprc, "no file can be created")

    assert in_a_child(as_somebody_else) == 0


@only_root
def test_a_file_of_another_user_in_a_sticky_directory_is_found_in_advance(zuliprc: Path) -> None:
    zuliprc.parent.chmod(0o1777)
    zuliprc.chmod(0o666)

    def as_somebody_else() -> None:
        os.setgroups([])
        os.setgid(4242)
        os.setuid(4242)
        with pytest.raises(FileError, match="belongs to another user"):
            require_replaceable(zuliprc)

    assert in_a_child(as_somebody_else) == 0


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "directory"])
def test_a_path_that_is_not_a_regular_file_is_found_in_advance(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "zuliprc")
    with pytest.raises(FileError, match="not a regular file"):
        require_replaceable(tmp_path / "zuliprc")
    with pytest.raises(RegenerationRefused, match="pipe or a device"):
        KeyReplacement(tmp_path / "zuliprc", CREDENTIALS)


def test_a_new_file_needs_a_directory(tmp_path: Path) -> None:
    require_replaceable(tmp_path / "a" / "b" / "zuliprc")
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="is not a directory"):
        require_replaceable(tmp_path / "file" / "zuliprc")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_every_name_of_the_file_gets_the_regenerated_key(zuliprc: Path) -> None:
    other = zuliprc.with_name("other")
    other.hardlink_to(zuliprc)
    KeyReplacement(zuliprc, CREDENTIALS).keep(NEW)
    assert zuliprc.read_text() == other.read_text() == TEXT.replace(KEY, NEWER_KEY)
    assert zuliprc.samefile(other)
    assert sorted(zuliprc.parent.iterdir()) == [other, zuliprc]


def test_a_login_does_not_break_a_hard_link(zuliprc: Path) -> None:
    other = zuliprc.with_name("other")
    other.hardlink_to(zuliprc)
    with pytest.raises(FileError, match="hard links"):
        require_replaceable(zuliprc)
    with pytest.raises(FileError, match="hard links"):
        write_zuliprc(zuliprc, Credentials(EMAIL, NEW, SITE))
    assert zuliprc.read_text() == other.read_text() == TEXT


@only_root
def test_a_key_is_regenerated_in_a_file_that_is_mounted_on_its_own(zuliprc: Path, mount: Callable[..., None]) -> None:
    source = zuliprc.with_name("source")
    source.write_text(TEXT)
    mount(zuliprc, "--bind", source)
    with pytest.raises(FileError, match="mounted on its own"):
        require_replaceable(zuliprc)
    KeyReplacement(zuliprc, CREDENTIALS).keep(NEW)
    assert zuliprc.read_text() == source.read_text() == TEXT.replace(KEY, NEWER_KEY)
    assert sorted(zuliprc.parent.iterdir()) == [source, zuliprc]


@only_root
def test_an_interrupted_replacement_is_finished_in_a_file_that_is_mounted_on_its_own(
    zuliprc: Path, mount: Callable[..., None]
) -> None:
    source = zuliprc.with_name("source")
    source.write_text(TEXT)
    mount(zuliprc, "--bind", source)
    zuliprc.with_name("zuliprc.new").write_text(TEXT.replace(KEY, NEWER_KEY))
    with pytest.raises(RegenerationRefused, match=r"cp \S+zuliprc.new \S+zuliprc"):
        KeyReplacement(zuliprc, CREDENTIALS)
    finish_replacement(zuliprc)
    assert source.read_text() == TEXT.replace(KEY, NEWER_KEY)


def test_a_key_of_another_length_is_refused_if_the_file_cannot_be_replaced(zuliprc: Path) -> None:
    zuliprc.write_text(TEXT.replace(KEY, "short"))
    zuliprc.with_name("other").hardlink_to(zuliprc)
    with pytest.raises(RegenerationRefused, match="hard links"):
        KeyReplacement(zuliprc, Credentials(EMAIL, Secret("short"), SITE))


def test_extended_attributes_are_kept(zuliprc: Path) -> None:
    try:
        os.setxattr(zuliprc, "user.note", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    KeyReplacement(zuliprc, CREDENTIALS).keep(NEW)
    assert os.getxattr(zuliprc, "user.note") == b"mine"
    assert read_zuliprc(zuliprc).api_key == NEW


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials("", NEW, SITE),
        Credentials(None, NEW, SITE),  # type: ignore[arg-type]  # the point of the test
        Credentials(EMAIL, Secret(""), SITE),
        "not credentials",
        None,
    ],
)
def test_incomplete_credentials_are_not_written_over_a_file(zuliprc: Path, credentials: Credentials) -> None:
    with pytest.raises(InvalidArgument):
        write_zuliprc(zuliprc, credentials)
    assert zuliprc.read_text() == TEXT
