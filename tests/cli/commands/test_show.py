"""`keybearer show`: the active settings, their origins and what they shadow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keybearer.zuliprc.fields import FIELDS
from tests.cli.command_line import CommandLine

KEY = "kbShowShowShowShowShowShowShow1A"


@pytest.fixture
def zuliprc(keybearer: CommandLine) -> Path:
    path = keybearer.home / ".zuliprc"
    path.write_text(f"[api]\nemail=ann@x.org\nkey={KEY}\nsite=https://z.x\n")
    path.chmod(0o600)
    return path


def test_every_setting_is_shown_with_its_origin_and_the_key_masked(keybearer: CommandLine, zuliprc: Path) -> None:
    done = keybearer("show", ZULIP_EMAIL="bea@x.org", ZULIP_API_KEY=KEY)

    lines = [line.split("\t") for line in done.out.splitlines()]
    rows = {line[0]: line[1:] for line in lines[1:]}
    assert done.code == 0
    assert lines[0] == ["setting", "value", "origin", "shadows"]
    assert list(rows) == list(FIELDS)
    assert rows["email"] == ["bea@x.org", "ZULIP_EMAIL", f"{zuliprc}:2"]
    assert rows["site"] == ["https://z.x", f"{zuliprc}:4", ""]
    assert rows["key"] == ["••••••••ow1A", "ZULIP_API_KEY", f"{zuliprc}:3"]
    assert rows["insecure"] == ["-", "default", ""]
    assert KEY not in done.out + done.err


def test_json_has_the_same_settings(keybearer: CommandLine, zuliprc: Path) -> None:
    zuliprc.chmod(0o640)
    done = keybearer("show", "--json", "--site", "http://y.x", "--insecure")
    told = json.loads(done.out)

    assert done.err == ""
    assert told["config_file"] == str(zuliprc)
    assert told["settings"]["site"] == {
        "value": "http://y.x",
        "origin": {"kind": "argument", "place": "site", "name": "site", "line": None},
        "shadows": [{"kind": "file", "place": f"{zuliprc}:4", "name": "site", "line": 4}],
    }
    assert told["settings"]["insecure"]["value"] == "true"
    assert told["settings"]["token"] == {
        "value": None,
        "origin": {"kind": "default", "place": "", "name": "", "line": None},
        "shadows": [],
    }
    assert [warning["kind"] for warning in told["warnings"]] == [
        "credential_sent_to_other_site", "plain_http", "insecure", "readable_by_others",
    ]  # fmt: skip
    assert KEY not in done.out


def test_warnings_are_printed_only_on_stderr(keybearer: CommandLine, zuliprc: Path) -> None:
    zuliprc.chmod(0o644)
    done = keybearer("show")

    assert done.complaint.startswith(f"keybearer: warning: {zuliprc}: Other accounts can read this file")
    assert "Other accounts" not in done.out


def test_with_strict_a_warning_is_an_error(keybearer: CommandLine, zuliprc: Path) -> None:
    zuliprc.chmod(0o644)
    done = keybearer("show", "--strict")

    assert (done.code, done.out) == (1, "")
    assert "Other accounts can read" in done.complaint


def test_a_key_option_causes_a_warning_and_is_not_shown(keybearer: CommandLine, zuliprc: Path) -> None:
    done = keybearer("show", "--api-key", KEY, "--user", "bea@x.org")

    assert done.code == 0
    assert "list of processes" in done.complaint
    assert "argument api_key" in done.out
    assert KEY not in done.out + done.err


def test_showing_credentials_runs_no_passcmd(keybearer: CommandLine, zuliprc: Path) -> None:
    zuliprc.write_text(f"[api]\nemail=ann@x.org\npasscmd=touch {keybearer.home}/run\n")
    done = keybearer("show")

    assert done.code == 0
    assert f"key\tthe output of passcmd\t{zuliprc}:3" in done.out
    assert not (keybearer.home / "run").exists()
    assert "touch" not in done.out


@pytest.mark.parametrize("option", ["--config-file", "--config", "-c"])
def test_each_option_for_the_file_works(keybearer: CommandLine, tmp_path: Path, option: str) -> None:
    (tmp_path / "rc").write_text("[api]\nemail=cleo@x.org\nkey=k\n")

    assert "cleo@x.org" in keybearer("show", option, str(tmp_path / "rc")).out


@pytest.mark.parametrize(("options", "value"), [([], "true"), (["--no-insecure"], "false"), (["--insecure"], "true")])
def test_an_option_that_is_not_given_does_not_override_the_file(
    keybearer: CommandLine, zuliprc: Path, options: list[str], value: str
) -> None:
    zuliprc.write_text(f"{zuliprc.read_text()}insecure=true\n")

    assert json.loads(keybearer("show", "--json", *options).out)["settings"]["insecure"]["value"] == value


def test_a_broken_file_is_reported_in_one_line_without_its_text(keybearer: CommandLine, zuliprc: Path) -> None:
    zuliprc.write_text(f"[api]\nemail=a\n{KEY}\n")
    done = keybearer.process("show")

    assert (done.code, done.out) == (1, "")
    assert done.complaint.startswith(f"keybearer: {zuliprc}:3: The line is neither a setting nor a comment")
    assert KEY not in done.err


def test_on_a_terminal_the_output_is_a_table(keybearer: CommandLine, zuliprc: Path) -> None:
    shown = keybearer.on_terminal("show").out
    plain = keybearer.on_terminal("show", NO_COLOR="1").out

    assert "──" in shown
    assert "\x1b[1m" in shown
    assert "\t" not in shown
    assert "\x1b[3" not in plain
    assert "ann@x.org" in plain
    assert KEY not in shown + plain


def test_control_characters_are_not_printed(keybearer: CommandLine, zuliprc: Path) -> None:
    done = keybearer("show", "--client-cert", "/x\x1b[2J")

    assert "\x1b" not in done.out + done.err
