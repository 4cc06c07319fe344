"""`keybearer scan` for git histories."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keybearer import api_key
from tests.cli.command_line import CommandLine

KEY = api_key.generate()
LEAK = f"ZULIP_API_KEY={KEY.reveal()}\n"

Git = Callable[..., str]

START = 1_700_000_000


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "repository"
    path.mkdir()
    return path


@pytest.fixture
def git(repository: Path) -> Git:
    """git in the repository, without the user's configuration."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(repository.parent),
        "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@x.org",
        "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@x.org",
    }  # fmt: skip

    def run(*arguments: str, at: int = START) -> str:
        dates = {"GIT_AUTHOR_DATE": f"@{at} +0000", "GIT_COMMITTER_DATE": f"@{at} +0000"}
        command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(command, cwd=repository, env=environ | dates, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run("init", "-q")
    return run


@pytest.fixture
def commit(repository: Path, git: Git) -> Callable[..., str]:
    """A function that commits files (None removes one) and returns the commit."""

    def run(message: str = "message", *, at: int = START, **files: str | None) -> str:
        for name, text in files.items():
            if text is None:
                git("rm", "-q", name)
            else:
                (repository / name).write_text(text)
                git("add", name)
        git("commit", "-q", "--allow-empty", "-m", message, at=at)
        return git("rev-parse", "HEAD")

    return run


Commit = Callable[..., str]


def findings(keybearer: CommandLine, *arguments: str) -> list[dict[str, Any]]:
    done = keybearer("scan", "--json", *arguments)
    result: list[dict[str, Any]] = json.loads(done.out)["findings"]
    assert done.code == (1 if result else 0), done.err
    assert KEY.reveal() not in done.out
    return result


@pytest.mark.parametrize("seconds", [0, 1, -1], ids=["at once", "in time", "with a clock that goes backwards"])
def test_a_removed_key_is_found_with_the_commit_that_added_it(
    keybearer: CommandLine, repository: Path, commit: Commit, seconds: int
) -> None:
    commit(settings="nothing\n", at=START)
    bringing = commit(settings=f"one\n{LEAK}", at=START + seconds)
    commit(settings=f"two\n{LEAK}", at=START + 2 * seconds)
    commit(settings=f"three\n{LEAK}", at=START + 3 * seconds)
    commit(settings=None, at=START + 4 * seconds)

    (found,) = findings(keybearer, str(repository))

    assert (found["path"], found["line"], found["commit"]) == ("settings", 2, bringing)


def test_a_key_in_a_current_file_is_also_found_in_that_file(
    keybearer: CommandLine, repository: Path, commit: Commit
) -> None:
    commit(settings=LEAK)

    assert [bool(one["commit"]) for one in findings(keybearer, str(repository))] == [False, True]


def test_with_no_history_the_history_is_not_searched(keybearer: CommandLine, repository: Path, commit: Commit) -> None:
    commit(settings=LEAK)
    commit(settings=None)

    assert findings(keybearer, "--no-history", str(repository)) == []


@pytest.mark.parametrize("way", ["branch", "tag", "stash", "reflog", "merge", "index", "message", "annotation"])
def test_a_key_is_found_everywhere_that_git_refers_to(
    way: str, keybearer: CommandLine, repository: Path, git: Git, commit: Commit
) -> None:
    commit(settings="nothing\n")
    match way:
        case "branch" | "tag":
            git("checkout", "-q", "-b", "other")
            commit(settings=LEAK)
            git("checkout", "-q", "main")
            if way == "tag":
                git("tag", "light", "other")
                git("branch", "-q", "-D", "other")
        case "stash":
            (repository / "settings").write_text(LEAK)
            git("stash", "-q")
        case "reflog":
            commit(settings=LEAK)
            git("reset", "-q", "--hard", "HEAD~1")
        case "merge":
            git("checkout", "-q", "-b", "other")
            commit(other="other\n")
            git("checkout", "-q", "main")
            git("merge", "-q", "--no-ff", "--no-commit", "other")
            commit(settings=LEAK)
            commit(settings="nothing\n")
        case "index":
            (repository / "settings").write_text(LEAK)
            git("add", "settings")
            (repository / "settings").write_text("nothing\n")
        case "message":
            commit(f"Use {KEY.reveal()}")
        case "annotation":
            git("tag", "-a", "-m", f"Use {KEY.reveal()}", "heavy")

    (found,) = findings(keybearer, str(repository))

    assert found["path"] == (None if way in {"message", "annotation"} else "settings")


def test_a_blob_is_searched_unless_all_its_paths_are_ignored(
    keybearer: CommandLine, repository: Path, commit: Commit
) -> None:
    commit(**{".keybearerignore": "a_test\nz_test\n", "a_test": LEAK, "z_test": LEAK})

    assert findings(keybearer, str(repository)) == []

    bringing = commit(settings=LEAK)
    commit(settings=None)
    (found,) = findings(keybearer, str(repository))

    assert (found["path"], found["line"], found["commit"]) == ("settings", 1, bringing)


def test_a_blob_that_is_only_staged_is_searched_unless_all_its_paths_are_ignored(
    keybearer: CommandLine, repository: Path, git: Git, commit: Commit
) -> None:
    commit(**{".keybearerignore": "a_test\n"})
    for name in ("a_test", "settings"):
        (repository / name).write_text(LEAK)
        git("add", name)
        (repository / name).unlink()

    assert [one["path"] for one in findings(keybearer, str(repository))] == ["settings"]


def test_a_file_in_an_ignored_part_does_not_hide_another_of_a_merge(
    keybearer: CommandLine, repository: Path, git: Git, commit: Commit
) -> None:
    commit(**{".keybearerignore": "a_test\n"}, a_test=LEAK)
    git("checkout", "-q", "-b", "other")
    commit(other="other\n")
    git("checkout", "-q", "main")
    git("merge", "-q", "--no-ff", "--no-commit", "other")
    bringing = commit(settings=LEAK)
    commit(settings="nothing\n")

    assert [(one["path"], one["commit"]) for one in findings(keybearer, str(repository))] == [("settings", bringing)]


def test_the_names_of_all_removed_files_are_searched(
    keybearer: CommandLine, repository: Path, git: Git, commit: Commit
) -> None:
    commit(**{"__init__.py": "", ".keybearerignore": "ignored\n"})
    bringing = commit(**{f"{KEY.reveal()}.txt": ""})
    commit(**{f"{KEY.reveal()}.txt": None})
    (repository / "ignored").mkdir()
    commit(**{f"ignored/{KEY.reveal()}.md": ""})

    (found,) = findings(keybearer, str(repository))

    assert (found["path"], found["commit"]) == (f"{KEY.masked()}.txt", bringing)


def test_a_rule_for_paths_does_not_ignore_a_tag(
    keybearer: CommandLine, repository: Path, git: Git, commit: Commit
) -> None:
    commit(**{".keybearerignore": "v1.0\n"})
    git("tag", "-a", "-m", f"Use {KEY.reveal()}", "v1.0")

    assert [one["path"] for one in findings(keybearer, str(repository))] == [None]


def test_repositories_below_a_directory_are_searched_too(
    keybearer: CommandLine, repository: Path, commit: Commit
) -> None:
    commit(settings=LEAK)
    commit(settings=None)

    (found,) = findings(keybearer, str(repository.parent))

    assert found["repository"] == str(repository)


def test_a_bare_repository_has_only_history(keybearer: CommandLine, repository: Path, git: Git, commit: Commit) -> None:
    commit(settings=LEAK)
    bare = repository.parent / "bare.git"
    git("clone", "-q", "--bare", str(repository), str(bare))

    (found,) = findings(keybearer, str(bare))

    assert found["commit"]


def test_the_history_of_a_part_of_a_repository_is_searched_with_history(
    keybearer: CommandLine, repository: Path, git: Git, commit: Commit
) -> None:
    (repository / "part").mkdir()
    commit(**{"part/settings": LEAK, "other": LEAK})
    commit(**{"part/settings": None, "other": None})
    (repository / "part").mkdir(exist_ok=True)
    (repository / "part" / "rest").write_text("rest\n")

    assert findings(keybearer, str(repository / "part")) == []
    assert [one["path"] for one in findings(keybearer, "--history", str(repository / "part"))] == ["part/settings"]


def test_an_empty_repository_has_no_history(keybearer: CommandLine, repository: Path, git: Git) -> None:
    assert findings(keybearer, str(repository)) == []


def test_a_key_that_is_only_staged_in_an_empty_repository_is_found(
    keybearer: CommandLine, repository: Path, git: Git
) -> None:
    (repository / "settings").write_text(LEAK)
    git("add", "settings")

    assert [one["path"] for one in findings(keybearer, str(repository))] == [str(repository / "settings"), "settings"]


def test_an_unreadable_history_is_reported_and_not_called_clean(
    keybearer: CommandLine, repository: Path, git: Git, commit: Commit
) -> None:
    blob = commit(settings="nothing\n") and git("rev-parse", "HEAD:settings")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    done = keybearer("scan", str(repository))

    assert done.code == 1
    assert "not searched" in done.err


def test_history_without_a_repository_is_a_failure(keybearer: CommandLine, tmp_path: Path) -> None:
    done = keybearer("scan", "--history", str(tmp_path), GIT_CEILING_DIRECTORIES=str(tmp_path.parent))

    assert done.code == 1
    assert "not in a git repository" in done.complaint


def test_without_git_the_history_is_reported_as_not_searched(
    keybearer: CommandLine, repository: Path, git: Git
) -> None:
    done = keybearer("scan", str(repository), PATH="/nowhere")

    assert done.code == 1
    assert "git is not installed" in done.err


def test_in_a_hook_only_staged_content_is_searched(
    keybearer: CommandLine, repository: Path, git: Git, commit: Commit
) -> None:
    commit(old=LEAK)
    (repository / "loose").write_text(LEAK)
    (repository / "staged").write_text("nothing\n")
    git("add", "staged")
    (repository / "staged").write_text(LEAK)

    assert keybearer.process("scan", "--staged", cwd=repository).code == 0

    git("add", "staged")
    done = keybearer.process("scan", "--staged", cwd=repository)

    assert done.code == 1
    assert done.out.startswith("staged:1: ")


def test_staged_outside_of_a_repository_is_a_failure(keybearer: CommandLine, tmp_path: Path) -> None:
    ceiling = {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}

    done = keybearer.process("scan", "--staged", cwd=tmp_path, **ceiling)

    assert done.code == 1
    assert "not a git repository" in done.complaint
    assert "--no-history" not in done.complaint


def test_a_git_hook_refuses_a_commit_with_a_key(
    keybearer: CommandLine, repository: Path, git: Git, commit: Commit
) -> None:
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec '{keybearer.script}' scan --staged\n")
    hook.chmod(0o755)

    commit(settings="nothing\n")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        commit(settings=LEAK)

    assert "settings:1: " in refused.value.stderr + refused.value.stdout


def test_a_git_variable_does_not_select_another_repository(
    keybearer: CommandLine, repository: Path, git: Git, commit: Commit, tmp_path: Path
) -> None:
    commit(settings=LEAK)
    commit(settings=None)

    done = keybearer("scan", str(repository), GIT_DIR=str(tmp_path / "elsewhere"))

    assert done.code == 1
    assert "not searched" not in done.err


def test_the_repository_offers_the_scan_as_a_hook_for_pre_commit() -> None:
    import yaml  # noqa: PLC0415 - only this test reads YAML

    (hook,) = yaml.safe_load(Path(__file__).parents[4].joinpath(".pre-commit-hooks.yaml").read_text())

    assert hook["entry"].split()[:2] == ["keybearer", "scan"]
    assert hook["language"] == "python"
