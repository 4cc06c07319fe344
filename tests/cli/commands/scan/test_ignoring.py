"""Ignore files, with the rules of a `.gitignore`."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybearer import api_key
from keybearer.cli.commands.scan.ignoring import IGNORE_FILE, rules_for
from tests.cli.command_line import CommandLine

KEY = api_key.generate()
LEAK = f"ZULIP_API_KEY={KEY.reveal()}\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a leak in `deep/er/leak`."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "leak").write_text(LEAK)
    return tmp_path


def places(keybearer: CommandLine, tree: Path, *options: str) -> int:
    return keybearer("scan", *options, str(tree)).out.count("\n")


@pytest.mark.parametrize(
    "line",
    ["leak", "/deep/", "deep", "er/", "deep/er/leak", "**/leak", "deep/**", "l*k", "l[a-f]ak", "l?ak", "deep/*/leak",
     f"fingerprint:{api_key.fingerprint(KEY)}", f"fingerprint: {api_key.fingerprint(KEY).upper()}  # an example"],
    ids=lambda line: line.replace(api_key.fingerprint(KEY), "…").replace(api_key.fingerprint(KEY).upper(), "…"),
)  # fmt: skip
def test_an_ignored_path_or_fingerprint_is_not_reported(line: str, keybearer: CommandLine, tree: Path) -> None:
    (tree / IGNORE_FILE).write_text(f"# a comment\n\n{line}\n")

    done = keybearer("scan", str(tree))

    assert (done.code, done.out) == (0, "")
    assert "1 file or key ignored" in done.complaint


@pytest.mark.parametrize(
    "line", ["/leak", "leak/", "er/leak", "#leak", "leak\n!leak", "*\n!deep\n!er\n!leak", "lea", "fingerprint:00000000"]
)
def test_everything_that_is_not_ignored_is_searched(line: str, keybearer: CommandLine, tree: Path) -> None:
    (tree / IGNORE_FILE).write_text(f"{line}\n")

    assert places(keybearer, tree) == 1


def test_no_ignore_searches_everything(keybearer: CommandLine, tree: Path) -> None:
    (tree / IGNORE_FILE).write_text("deep\n")

    assert places(keybearer, tree, "--no-ignore") == 1


@pytest.mark.parametrize(
    ("comment", "is_heeded"),
    [("keybearer:allow", True), ("<!--keybearer:allow-->", True), ("keybearer:allowed", False),
     ("notkeybearer:allow", False)],
)  # fmt: skip
def test_a_line_with_the_comment_is_heeded_without_no_ignore(
    comment: str, is_heeded: bool, keybearer: CommandLine, tree: Path
) -> None:
    (tree / "deep" / "er" / "leak").write_text(f"{LEAK.strip()}  # {comment}\n")

    assert places(keybearer, tree) == (not is_heeded)
    assert places(keybearer, tree, "--no-ignore") == 1


def test_no_ignore_still_ignores_a_key_that_is_named(keybearer: CommandLine, tree: Path) -> None:
    assert places(keybearer, tree, "--no-ignore", "--allow", api_key.fingerprint(KEY)) == 0


def test_an_ignore_file_applies_below_its_own_directory(keybearer: CommandLine, tree: Path) -> None:
    (tree / "leak").write_text(LEAK)
    (tree / "deep" / IGNORE_FILE).write_text("leak\n")

    assert keybearer("scan", str(tree)).out.startswith(f"{tree / 'leak'}:1: ")
    assert places(keybearer, tree) == 1


def test_the_ignore_file_of_a_repository_applies_to_its_parts_and_history(keybearer: CommandLine, tree: Path) -> None:
    who = {f"GIT_{role}_{part}": "a@x.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "message"]):
        subprocess.run(["git", *command], cwd=tree, env={"PATH": os.environ["PATH"], **who}, check=True)
    (tree / IGNORE_FILE).write_text("/deep/er/\n")

    assert places(keybearer, tree) == 0
    assert places(keybearer, tree / "deep") == 0
    assert places(keybearer, tree / "deep" / "er" / "leak") == 0
    assert places(keybearer, tree, "--no-ignore") == 2

    (tree / IGNORE_FILE).unlink()
    (tree / "deep" / "er" / "leak").write_text(f"{LEAK.strip()}  # keybearer:allow\n")
    for command in (
        ["add", "."],
        ["commit", "-q", "--amend", "-m", "message"],
        ["reflog", "expire", "--expire=now", "--all"],
    ):
        subprocess.run(["git", *command], cwd=tree, env={"PATH": os.environ["PATH"], **who}, check=True)

    assert places(keybearer, tree) == 0
    assert places(keybearer, tree, "--no-ignore") == 2


@pytest.mark.parametrize("text", ["fingerprint:xyz\n", "fingerprint:\n"])
def test_an_invalid_fingerprint_is_reported_with_its_line(text: str, keybearer: CommandLine, tree: Path) -> None:
    (tree / IGNORE_FILE).write_text(f"# comment\n{text}")

    done = keybearer("scan", str(tree))

    assert done.code == 1
    assert f"{IGNORE_FILE}:2: A fingerprint has 8 hexadecimal digits" in done.err


def test_the_scan_does_not_wait_for_an_ignore_file_that_is_a_pipe(keybearer: CommandLine, tree: Path) -> None:
    os.mkfifo(tree / IGNORE_FILE)

    done = keybearer.process("scan", str(tree))

    assert done.code == 1
    assert "This is not a file" in done.err


NAMES = ("a", "b", "ab", "a.b")
PATHS = ["/".join(names) for depth in (1, 2, 3) for names in itertools.product(NAMES, repeat=depth)]
SEGMENTS = st.sampled_from(["a", "b", "ab", "*", "**", "a*", "?b", "[ab]", "[!a]", "[^a]b", "*.b", "a?b", "*a*b*"])


@settings(max_examples=40, deadline=None)
@given(
    patterns=st.lists(
        st.builds(
            "{}{}{}{}".format,
            st.sampled_from(["", "!"]),
            st.sampled_from(["", "/"]),
            st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join),
            st.sampled_from(["", "/"]),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_paths_are_ignored_as_git_ignores_them(patterns: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    top = tmp_path_factory.mktemp("top")
    (top / IGNORE_FILE).write_text("".join(f"{pattern}\n" for pattern in patterns))
    subprocess.run(["git", "init", "-q"], cwd=top, check=True)

    git = subprocess.run(
        ["git", "-c", f"core.excludesFile={top / IGNORE_FILE}", "check-ignore", "--no-index", "--stdin"],
        cwd=top, input="\n".join(PATHS), capture_output=True, text=True, check=False,
    )  # fmt: skip

    rules = rules_for(top)
    assert [path for path in PATHS if rules.ignores(top / path)] == git.stdout.splitlines()
