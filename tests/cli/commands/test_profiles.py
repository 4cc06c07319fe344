"""`keybearer profiles`: lists the accounts and marks the active one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine


@pytest.fixture
def directory(keybearer: CommandLine) -> Path:
    """The directory of two profiles, beside a default file."""
    directory = keybearer.home / ".config" / "zulip"
    directory.mkdir(parents=True)
    for path, name in (
        (keybearer.home / ".zuliprc", "ann"),
        (directory / "work.zuliprc", "bea"),
        (directory / "home.zuliprc", "cleo"),
    ):
        path.write_text(f"[api]\nemail={name}@x.org\nkey=k\nsite=https://{name}.x\n")
        path.chmod(0o600)
    return directory


def listed(keybearer: CommandLine, *options: str, **environ: str) -> dict[str, bool]:
    """Each profile with whether it is active."""
    return {
        row["name"]: row["in_force"] for row in json.loads(keybearer("profiles", "--json", *options, **environ).out)
    }


def test_profiles_are_listed_with_their_accounts(keybearer: CommandLine, directory: Path) -> None:
    done = keybearer("profiles")

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "\tprofile\temail\tsite\tfile",
        f"*\t-\tann@x.org\thttps://ann.x\t{keybearer.home}/.zuliprc",
        f"\thome\tcleo@x.org\thttps://cleo.x\t{directory}/home.zuliprc",
        f"\twork\tbea@x.org\thttps://bea.x\t{directory}/work.zuliprc",
    ]


def test_the_active_profile_is_marked(keybearer: CommandLine, directory: Path) -> None:
    work = {"": False, "home": False, "work": True}

    assert listed(keybearer) == {"": True, "home": False, "work": False}
    assert listed(keybearer, "--profile", "work") == work
    assert listed(keybearer, ZULIP_PROFILE="work") == work
    assert listed(keybearer, ZULIP_CONFIG=str(directory / "work.zuliprc")) == work
    assert listed(keybearer, "-c", str(directory / "work.zuliprc"), ZULIP_PROFILE="home") == work


def test_a_default_file_that_links_to_a_profile_marks_both(keybearer: CommandLine, directory: Path) -> None:
    (keybearer.home / ".zuliprc").unlink()
    (keybearer.home / ".zuliprc").symlink_to(directory / "work.zuliprc")

    assert listed(keybearer) == {"": True, "home": False, "work": True}


def test_an_active_file_elsewhere_is_listed_too(keybearer: CommandLine, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "rc").write_text("[api]\nemail=dora@x.org\nkey=k\n")
    row = json.loads(keybearer("profiles", "--json", ZULIP_CONFIG=str(tmp_path / "rc")).out)[-1]

    assert (row["name"], row["in_force"], row["email"], row["path"]) == ("", True, "dora@x.org", str(tmp_path / "rc"))


def test_variables_do_not_change_the_listed_accounts(keybearer: CommandLine, directory: Path) -> None:
    assert "bea@x.org" in keybearer("profiles", ZULIP_EMAIL="other@x.org", ZULIP_API_KEY="other").out


def test_a_broken_profile_is_listed_with_its_fault(keybearer: CommandLine, directory: Path) -> None:
    (directory / "work.zuliprc").write_text("[api]\nkey=kbSecret\nkey=kbSecret\n")
    done = keybearer("profiles")

    assert done.code == 0
    assert "work\tThe setting occurs twice; the first is in line 2" in done.out
    assert "kbSecret" not in done.out


def test_listing_profiles_runs_no_passcmd(keybearer: CommandLine, directory: Path) -> None:
    (directory / "work.zuliprc").write_text(f"[api]\nemail=bea@x.org\npasscmd=touch {directory}/run\n")

    assert "bea@x.org" in keybearer("profiles").out
    assert not (directory / "run").exists()


def test_without_profiles_the_list_names_their_directory(keybearer: CommandLine) -> None:
    done = keybearer("profiles")

    assert done.code == 0
    assert f"no profiles in {keybearer.home}/.config/zulip" in done.err


def test_a_name_that_is_a_path_is_refused(keybearer: CommandLine) -> None:
    done = keybearer("profiles", "--profile", "../../etc/x")

    assert done.code == 1
    assert "name of a profile" in done.complaint


def test_an_invalid_profile_variable_is_reported_and_hides_no_profile(keybearer: CommandLine, directory: Path) -> None:
    done = keybearer("profiles", "--json", ZULIP_PROFILE="not a name")

    assert done.code == 0
    assert "ZULIP_PROFILE" in done.complaint
    assert any(row["name"] for row in json.loads(done.out))
    assert not any(row["in_force"] for row in json.loads(done.out))
    assert "ZULIP_PROFILE" in keybearer("whoami", ZULIP_PROFILE="not a name").complaint
