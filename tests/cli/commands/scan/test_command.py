"""`keybearer scan` for files: what it searches, what it prints, and its exit code."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from keybearer import api_key
from tests.cli.command_line import CommandLine

KEY = api_key.generate()
ZULIPRC = f"[api]\nemail=a@x.org\nkey={KEY.reveal()}\nsite=https://x.org\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "deep" / "er").mkdir(parents=True)
    (top / "README").write_text("nothing\n")
    return top


def test_a_tree_without_keys_gives_exit_code_0(keybearer: CommandLine, tree: Path) -> None:
    done = keybearer.process("scan", str(tree))

    assert (done.code, done.out) == (0, "")
    assert "No API key found" in done.complaint


def test_a_key_is_reported_by_path_and_line_and_not_shown(keybearer: CommandLine, tree: Path) -> None:
    zuliprc = tree / "deep" / "er" / "zuliprc"
    zuliprc.write_text(ZULIPRC)

    done = keybearer.process("scan", str(tree))

    assert done.code == 1
    assert done.out.startswith(f"{zuliprc}:3: ")
    assert done.out.count("\n") == 1
    assert "a@x.org at https://x.org" in done.out
    assert KEY.masked() in done.out
    assert api_key.fingerprint(KEY) in done.out
    assert KEY.reveal() not in done.out + done.err
    assert "keybearer regenerate" in done.err


def test_json_has_the_same_content(keybearer: CommandLine, tree: Path) -> None:
    (tree / "zuliprc").write_text(ZULIPRC)

    done = keybearer("scan", "--json", str(tree))

    assert done.code == 1
    assert json.loads(done.out)["findings"] == [
        {
            "kind": "keybearer",
            "path": str(tree / "zuliprc"),
            "line": 3,
            "commit": None,
            "repository": None,
            "email": "a@x.org",
            "site": "https://x.org",
            "key": KEY.masked(),
            "fingerprint": api_key.fingerprint(KEY),
        }
    ]
    assert KEY.reveal() not in done.out


def test_a_key_with_an_allowed_fingerprint_is_ignored(keybearer: CommandLine, tree: Path) -> None:
    (tree / "zuliprc").write_text(ZULIPRC)

    done = keybearer("scan", "--allow", api_key.fingerprint(KEY).upper(), str(tree))

    assert (done.code, done.out) == (0, "")


@pytest.mark.parametrize("value", ["zz", "", "1a2b3c4", "1a2b3c4d5", "1a2b3c4g", "fingerprint:1a2b3c4d"])
def test_what_is_no_fingerprint_cannot_be_allowed(value: str, keybearer: CommandLine, tree: Path) -> None:
    done = keybearer("scan", "--allow", value, str(tree))

    assert done.code == 2
    assert "is not a fingerprint" in done.err


def test_standard_input_is_searched_like_a_file(keybearer: CommandLine) -> None:
    done = keybearer.process("scan", "-", stdin=ZULIPRC)

    assert done.code == 1
    assert done.out.startswith("(standard input):3: ")


def test_keys_in_overlapping_paths_are_reported_once(keybearer: CommandLine, tree: Path) -> None:
    (tree / "deep" / "zuliprc").write_text(ZULIPRC)

    done = keybearer("scan", str(tree), str(tree / "deep"), f"{tree}/")

    assert done.code == 1
    assert done.out.count("\n") == 1
    assert "1 key in 1 place" in done.complaint


def test_a_missing_path_is_an_error(keybearer: CommandLine, tree: Path) -> None:
    done = keybearer("scan", str(tree), str(tree / "missing"))

    assert done.code == 1
    assert "missing" in done.complaint


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="this system has no file that fails to be read")
def test_an_unreadable_file_is_reported_and_not_called_clean(keybearer: CommandLine, tree: Path) -> None:
    done = keybearer("scan", str(tree), "/proc/self/mem")

    assert done.code == 1
    assert "not searched: /proc/self/mem" in done.err


def test_a_directory_whose_path_is_too_long_does_not_end_the_search(keybearer: CommandLine, tree: Path) -> None:
    (tree / "zuliprc").write_text(ZULIPRC)
    longest = 4090
    place = str(tree)
    with contextlib.ExitStack() as stack:
        directory = _opened(tree, stack)
        while (left := longest - len(place)) > 1:
            name = ("d-" * 100)[: left - 1]
            os.mkdir(name, dir_fd=directory)
            directory = _opened(name, stack, directory)
            place += f"/{name}"
        os.mkdir("deeper", dir_fd=directory)

    done = keybearer("scan", str(tree))

    assert done.code == 1
    assert done.out.startswith(f"{tree / 'zuliprc'}:3: ")
    assert f"not searched: {place}: File name too long" in done.err
    assert f"not searched: {place}/deeper: File name too long" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every directory")
def test_a_directory_without_access_does_not_end_the_search(keybearer: CommandLine, tree: Path) -> None:
    (tree / "zuliprc").write_text(ZULIPRC)
    closed = tree / "deep" / "er"
    (closed / "file").write_text("nothing\n")
    closed.chmod(0o444)
    try:
        done, alone = keybearer("scan", str(tree)), keybearer("scan", str(closed))
    finally:
        closed.chmod(0o755)

    assert done.code == alone.code == 1
    assert done.out.startswith(f"{tree / 'zuliprc'}:3: ")
    assert f"not searched: {closed}: Permission denied" in done.err
    assert f"not searched: {closed}/file: Permission denied" in alone.err


def _opened(name: Path | str, stack: contextlib.ExitStack, parent: int | None = None) -> int:
    descriptor = os.open(name, os.O_RDONLY, dir_fd=parent)
    stack.callback(os.close, descriptor)
    return descriptor


def test_links_and_pipes_in_a_tree_are_not_followed(keybearer: CommandLine, tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text(ZULIPRC)
    (tree / "link").symlink_to(outside)
    (tree / "loop").symlink_to(tree)
    os.mkfifo(tree / "pipe")

    assert keybearer("scan", str(tree)).code == 0


def test_a_named_link_is_followed(keybearer: CommandLine, tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text(ZULIPRC)
    (tree / "link").symlink_to(outside)

    assert keybearer("scan", str(tree / "link")).code == 1


def test_the_name_of_a_file_cannot_control_the_terminal(keybearer: CommandLine, tree: Path) -> None:
    (tree / "a\x1b[31m\nb").write_text(ZULIPRC)
    Path(os.fsdecode(bytes(tree) + b"/\xff")).write_text(ZULIPRC)

    done = keybearer.process("scan", str(tree))

    assert "\x1b" not in done.out
    assert done.out.count("\n") == 2
    assert "\\udcff:3" in done.out


def test_a_terminal_shows_a_spinner(keybearer: CommandLine) -> None:
    done = keybearer.on_terminal("scan", "-", answers={"Searching": "nothing\n\x04"})

    assert done.code == 0


def test_every_format_has_the_same_findings(keybearer: CommandLine, tree: Path) -> None:
    (tree / "a b").write_text(ZULIPRC)

    as_json = keybearer("scan", "--format", "json", str(tree))
    sarif = json.loads(keybearer("scan", "--format", "sarif", str(tree)).out)

    assert as_json.out == keybearer("scan", "--json", str(tree)).out
    assert keybearer("scan", "--format", "text", str(tree)).out == keybearer("scan", str(tree)).out
    (result,) = sarif["runs"][0]["results"]
    assert api_key.fingerprint(KEY) in result["message"]["text"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == f"{tree.as_uri()}/a%20b"
    assert KEY.reveal() not in json.dumps(sarif)


def test_sarif_has_all_that_githubs_code_scanning_requires(keybearer: CommandLine, tree: Path) -> None:
    (tree / "zuliprc").write_text(ZULIPRC)
    (tree / "binary").write_bytes(b"\0" + ZULIPRC.encode())

    done = keybearer.process("scan", "--format", "sarif", ".", "/proc/self/mem", cwd=tree)

    report = json.loads(done.out)
    assert done.code == 1
    assert report["version"] == "2.1.0"
    assert report["$schema"].startswith("https://")
    (run,) = report["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"]
    assert all(rule["id"] and rule["help"]["text"] for rule in rules)
    assert all(rule["shortDescription"]["text"] and rule["fullDescription"]["text"] for rule in rules)
    assert [result["locations"][0]["physicalLocation"] for result in run["results"]] == [
        {"artifactLocation": {"uri": "binary"}, "region": {"startLine": 1}},
        {"artifactLocation": {"uri": "zuliprc"}, "region": {"startLine": 3}},
    ]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["partialFingerprints"]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert "/proc/self/mem" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_json_and_another_format_are_wrong_usage(keybearer: CommandLine, tree: Path) -> None:
    assert keybearer("scan", "--json", "--format", "sarif", str(tree)).code == 2


def test_a_key_in_the_name_of_a_file_is_found_and_not_shown(keybearer: CommandLine, tree: Path) -> None:
    (tree / f"backup-{KEY.reveal()}.txt").write_text("nothing\n")

    done = keybearer.process("scan", str(tree))

    assert done.code == 1
    assert api_key.fingerprint(KEY) in done.out
    assert KEY.reveal() not in done.out + done.err


def test_a_missing_path_stops_the_search_before_it_starts(keybearer: CommandLine, tree: Path) -> None:
    (tree / "zuliprc").write_text(ZULIPRC)

    done = keybearer("scan", str(tree), str(tree / "missing"))

    assert (done.code, done.out) == (1, "")


def test_this_project_scans_clean(keybearer: CommandLine) -> None:
    top = Path(__file__).parents[4]

    done = keybearer("scan", "--no-history", str(top))

    assert (done.code, done.out) == (0, ""), done.out
