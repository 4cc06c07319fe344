"""`keybearer install`: copies a downloaded zuliprc without losing another account."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

import keybearer as library
from tests.cli.command_line import CommandLine

KEY, OTHER_KEY = "kbInstallInstallInstallInstall1A", "kbOtherOtherOtherOtherOtherOth1A"
DOWNLOADED = f"[api]\nemail=ann@x.org\nkey={KEY}\nsite=https://z.x\n"
OTHER = f"[api]\nemail=bea@x.org\nkey={OTHER_KEY}\nsite=https://z.x\n"


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """A download of the browser, readable by all users."""
    path = tmp_path / "Downloads" / "zuliprc"
    path.parent.mkdir()
    path.write_text(DOWNLOADED)
    path.chmod(0o644)
    return path


@pytest.fixture
def installed(keybearer: CommandLine) -> Path:
    """The path of the installed file."""
    return keybearer.home / ".zuliprc"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_installed_download_is_readable_only_by_its_owner(
    keybearer: CommandLine, download: Path, installed: Path
) -> None:
    done = keybearer("install", str(download))

    assert done.code == 0
    assert done.out == f"{installed}: ann@x.org at https://z.x\n"
    assert done.complaint.startswith(f"The key is also still in {download}")
    assert installed.read_text() == DOWNLOADED
    assert mode_of(installed) == 0o600
    assert library.resolve(environ={"HOME": str(keybearer.home)}).warnings == ()
    assert KEY not in done.out + done.err


def test_a_download_can_be_moved(keybearer: CommandLine, download: Path, installed: Path) -> None:
    done = keybearer("install", "--move", str(download))

    assert (done.code, done.err) == (0, "")
    assert not download.exists()
    assert installed.read_text() == DOWNLOADED


def test_a_profile_is_installed_beside_the_others(keybearer: CommandLine, download: Path, installed: Path) -> None:
    keybearer("install", str(download), "--profile", "work")
    path = keybearer.home / ".config" / "zulip" / "work.zuliprc"

    assert path.read_text() == DOWNLOADED
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) == mode_of(path.parent.parent) == 0o700
    assert not installed.exists()


def test_a_new_key_for_the_same_account_replaces_the_old_one(
    keybearer: CommandLine, download: Path, installed: Path
) -> None:
    installed.write_text(f"# mine\n[api]\nkey={OTHER_KEY}\nemail=ann@x.org\nsite=HTTPS://z.x/\n[zterm]\ntheme=dark\n")
    done = keybearer("install", str(download))

    assert done.code == 0
    assert installed.read_text() == (
        f"# mine\n[api]\nkey={KEY}\nemail=ann@x.org\nsite=https://z.x\n[zterm]\ntheme=dark\n"
    )


@pytest.mark.parametrize(
    "there",
    [OTHER, DOWNLOADED.replace("z.x", "y.x"), DOWNLOADED.replace("site=https://z.x\n", ""), "[api]\nkey=1\nkey=2\n"],
    ids=["other email", "other site", "no site", "broken"],
)
def test_the_file_of_another_account_is_not_replaced_without_a_question(
    keybearer: CommandLine, download: Path, installed: Path, there: str
) -> None:
    installed.write_text(there)
    done = keybearer("install", str(download))

    assert done.code == 1
    assert "--yes" in done.complaint
    assert "--profile" in done.complaint
    assert installed.read_text() == there
    assert OTHER_KEY not in done.err


@pytest.mark.parametrize("option", ["--yes", "--force"])
def test_the_file_of_another_account_is_replaced_with_yes(
    keybearer: CommandLine, download: Path, installed: Path, option: str
) -> None:
    installed.write_text(OTHER)
    done = keybearer("install", str(download), option)

    assert done.code == 0
    assert installed.read_text() == DOWNLOADED


@pytest.mark.parametrize(("answer", "replaced"), [("y", True), ("n", False), ("", False)])
def test_on_a_terminal_the_command_asks(
    keybearer: CommandLine, download: Path, installed: Path, answer: str, replaced: bool
) -> None:
    installed.write_text(OTHER)
    done = keybearer.on_terminal("install", str(download), answers={"Replace it? [y/N]": answer})

    assert done.code == (0 if replaced else 1)
    assert f"{installed} is the zuliprc of bea@x.org at https://z.x." in done.out
    assert installed.read_text() == (DOWNLOADED if replaced else OTHER)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no section"),
        ("<html>not found</html>", "This is a web page"),
        ("[api]\nemail=ann@x.org\n", "no key"),
        (f'[api]\nemail=ann@x.org\nkey="{KEY}"\n', "quotes"),
        (f"{DOWNLOADED}site=x\n", "twice"),
        (f"{DOWNLOADED}client_cert=missing\n", "does not exist"),
    ],
)
def test_a_broken_download_is_refused_and_nothing_is_replaced(
    keybearer: CommandLine, download: Path, installed: Path, text: str, said: str
) -> None:
    installed.write_text(OTHER)
    download.write_text(text)
    done = keybearer("install", str(download), "--yes", "--move")

    assert done.code == 1
    assert done.complaint.startswith(f"keybearer: {download}")
    assert said in done.complaint
    assert installed.read_text() == OTHER
    assert download.exists()


def test_a_missing_download_is_an_expected_failure(keybearer: CommandLine, download: Path) -> None:
    done = keybearer("install", f"{download}.part")

    assert done.code == 1
    assert "no such file" in done.complaint
    assert "variable" not in done.complaint


def test_the_environment_does_not_change_the_installed_file(
    keybearer: CommandLine, download: Path, installed: Path
) -> None:
    keybearer("install", str(download), ZULIP_EMAIL="bea@x.org", ZULIP_API_KEY=OTHER_KEY)

    assert installed.read_text() == DOWNLOADED


def test_a_file_from_windows_is_installed_in_the_form_that_every_program_reads(
    keybearer: CommandLine, download: Path, installed: Path
) -> None:
    download.write_bytes(b"\xef\xbb\xbf" + f"# from work\n{DOWNLOADED}".replace("\n", "\r\n").encode())
    keybearer("install", str(download))

    assert installed.read_text() == f"# from work\n{DOWNLOADED}"


def test_certificates_beside_the_download_are_still_found(
    keybearer: CommandLine, download: Path, installed: Path
) -> None:
    download.with_name("c.pem").touch()
    (keybearer.home / "b.pem").touch()
    download.write_text(f"{DOWNLOADED}client_cert=c.pem\ncert_bundle=~/b.pem\n")
    keybearer("install", str(download))

    tls = library.read_zuliprc(installed).tls
    assert (tls.client_cert, tls.cert_bundle) == (str(download.with_name("c.pem")), str(keybearer.home / "b.pem"))


def test_a_command_is_installed_and_not_run(keybearer: CommandLine, download: Path, installed: Path) -> None:
    text = f"[api]\nemail=ann@x.org\npasscmd='touch' '{download.parent}/run'\nsite=https://z.x\n"
    download.write_text(text)
    done = keybearer("install", str(download))

    assert done.code == 0
    assert installed.read_text() == text
    assert not download.with_name("run").exists()


def test_installing_the_installed_file_tidies_it(keybearer: CommandLine, installed: Path) -> None:
    installed.write_text(DOWNLOADED)
    installed.chmod(0o644)
    done = keybearer("install", "--move", str(installed))

    assert done.code == 0
    assert installed.read_text() == DOWNLOADED
    assert mode_of(installed) == 0o600


def test_a_link_stays_a_link(keybearer: CommandLine, download: Path, installed: Path) -> None:
    target = keybearer.home / "dotfiles" / "zuliprc"
    target.parent.mkdir()
    installed.symlink_to(target)
    keybearer("install", str(download))

    assert installed.is_symlink()
    assert target.read_text() == DOWNLOADED


def test_a_variable_that_names_another_file_is_pointed_out(keybearer: CommandLine, download: Path) -> None:
    assert "ZULIP_CONFIG is set" in keybearer("install", str(download), ZULIP_CONFIG="/other").err
    assert "ZULIP_PROFILE" not in keybearer("install", str(download), "--profile", "a", ZULIP_PROFILE="a").err


def test_plain_http_in_the_download_is_warned_about(keybearer: CommandLine, download: Path) -> None:
    download.write_text(DOWNLOADED.replace("https", "http"))

    assert "can read the key; use https" in keybearer("install", str(download), "--move").complaint


def test_a_program_gets_the_outcome_as_json(keybearer: CommandLine, download: Path, installed: Path) -> None:
    done = keybearer("install", str(download), "--move", "--json")

    assert json.loads(done.out) == {
        "file": str(installed),
        "email": "ann@x.org",
        "site": "https://z.x",
        "removed": True,
    }


def test_moving_a_link_removes_the_file_behind_it_too(
    keybearer: CommandLine, download: Path, installed: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(download)

    assert keybearer("install", str(link), "--move").code == 0
    assert not link.is_symlink()
    assert not download.exists()
    assert installed.read_text() == DOWNLOADED


def test_a_key_of_an_unusual_form_causes_a_warning(keybearer: CommandLine, download: Path) -> None:
    download.write_text(DOWNLOADED.replace(KEY, "x"))

    assert "not 32 letters and digits" in keybearer("install", str(download)).err
