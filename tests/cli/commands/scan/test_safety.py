"""A repository or a tree from another person cannot start a program or stop the search."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from keybearer import api_key
from tests.cli.command_line import CommandLine

KEY = api_key.generate()
LEAK = f"ZULIP_API_KEY={KEY.reveal()}\n"


class EvilRepository:
    """A repository whose configuration, attributes and hooks all name one program, which leaves a mark when it runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mark = path.parent / "mark"
        self.program = path / "evil.sh"
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.program.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{self.mark}'\ncat\n")
        self.program.chmod(0o755)

    def git(self, *arguments: str) -> str:
        """Run git with an empty configuration, and without hooks."""
        who = {f"GIT_{role}_{part}": "a@x.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.path.parent), **who, "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
        return subprocess.run(
            command, cwd=self.path, env=environ, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, name: str, text: str) -> str:
        (self.path / name).write_text(text)
        self.git("add", name)
        self.git("commit", "-q", "-m", f"Change {name}")
        return self.git("rev-parse", "HEAD")

    def arm(self) -> None:
        """Name the program in every setting that can name one."""
        evil = str(self.program)
        (self.path / ".gitattributes").write_text("* diff=evil filter=evil merge=evil ident\n")
        signed = self.git("cat-file", "commit", "HEAD").replace(
            "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n\n", 1
        )
        made = subprocess.run(
            ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
            cwd=self.path, input=signed + "\n", capture_output=True, text=True, check=True,
        )  # fmt: skip
        self.git("update-ref", "refs/heads/main", made.stdout.strip())
        named = {
            "core": "fsmonitor pager editor sshCommand askPass gitProxy alternateRefsCommand",
            'remote "evil"': "uploadpack vcs",
            "credential": "helper",
            "gpg": "program",
            'gpg "ssh"': "program",
            "diff": "external",
            'diff "evil"': "textconv command",
            'filter "evil"': "smudge clean process",
            'merge "evil"': "driver",
            "uploadpack": "packObjectsHook",
            "pager": "log rev-list cat-file diff-tree diff-index",
        }
        (self.path / ".git" / "config").write_text(
            f"[core]\nrepositoryformatversion = 1\nhooksPath = {self.path}/hooks\n[extensions]\npartialClone = evil\n"
            f'[remote "evil"]\nurl = ext::{evil}\npromisor = true\n[protocol]\nallow = always\n'
            "[log]\nshowSignature = true\n"
            + "".join(f"[{part}]\n{name} = {evil}\n" for part, names in named.items() for name in names.split())
            + "".join(f"[alias]\n{name} = !{evil}\n" for name in ("log", "rev-list", "cat-file", "diff-tree"))
            + f"[include]\npath = {self.path}/more\n"
        )
        for directory in (self.path / "hooks", self.path / ".git" / "hooks"):
            directory.mkdir(exist_ok=True)
            for hook in (
                "post-index-change",
                "fsmonitor-watchman",
                "reference-transaction",
                "pre-commit",
                "post-checkout",
            ):
                (directory / hook).symlink_to(self.program)
        (self.path / "more").write_text(f"[core]\n\tfsmonitor = {evil}\n")


@pytest.fixture
def evil(tmp_path: Path) -> EvilRepository:
    repository = EvilRepository(tmp_path / "evil")
    repository.commit("settings", LEAK)
    repository.commit("settings", "nothing\n")
    return repository


def test_the_evil_repository_runs_its_program_with_plain_git(evil: EvilRepository) -> None:
    evil.arm()

    subprocess.run(["git", "log", "-p"], cwd=evil.path, capture_output=True, check=False)

    assert evil.mark.exists()


@pytest.mark.parametrize("options", [["."], ["--history", "."], ["--staged"], ["--history", "settings"]])
def test_no_program_from_a_repository_is_run(options: list[str], evil: EvilRepository, keybearer: CommandLine) -> None:
    (evil.path / "staged").write_text(LEAK)
    evil.git("add", "staged")
    evil.arm()

    done = keybearer.process("scan", "--json", *options, cwd=evil.path)

    assert not evil.mark.exists(), evil.mark.read_text()
    report = json.loads(done.out)
    assert report["not_searched"] == []
    assert {finding["fingerprint"] for finding in report["findings"]} == {api_key.fingerprint(KEY)}


def test_no_program_is_run_when_the_paths_of_ignored_files_are_read(
    evil: EvilRepository, keybearer: CommandLine
) -> None:
    evil.commit(".keybearerignore", "a_test\n")
    evil.commit("a_test", LEAK)
    evil.commit(KEY.reveal(), "nothing\n")
    evil.git("rm", "-q", KEY.reveal())
    evil.git("commit", "-q", "-m", "Remove it")
    evil.arm()

    done = keybearer("scan", "--json", str(evil.path))

    assert not evil.mark.exists(), evil.mark.read_text()
    report = json.loads(done.out)
    assert report["not_searched"] == []
    assert {finding["path"] for finding in report["findings"]} == {None, "settings", KEY.masked()}


def test_no_missing_object_is_fetched(evil: EvilRepository, keybearer: CommandLine) -> None:
    blob = evil.git("rev-parse", "HEAD~1:settings")
    evil.arm()
    (evil.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    done = keybearer.process("scan", str(evil.path))

    assert not evil.mark.exists()
    assert done.code == 1
    assert "not in this clone" in done.err


def test_no_program_from_git_variables_is_run(evil: EvilRepository, keybearer: CommandLine) -> None:
    evil.arm()
    names = ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH", "GIT_ASKPASS", "GIT_PROXY_COMMAND")
    parameters = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": str(evil.program),
    }

    environ = dict.fromkeys(names, str(evil.program)) | parameters
    CommandLine(keybearer.home, {**keybearer.environ, **environ}).process("scan", str(evil.path))

    assert not evil.mark.exists()


@pytest.mark.parametrize(
    "place", ["refs/heads/pipe", "objects/aa/pipe", "objects/pack/pipe.idx", "logs/pipe", "packed-refs"]
)
def test_a_pipe_in_a_repository_is_reported_without_waiting(
    place: str, evil: EvilRepository, keybearer: CommandLine
) -> None:
    path = evil.path / ".git" / place
    path.parent.mkdir(exist_ok=True, parents=True)
    os.mkfifo(path)

    done = keybearer.process("scan", str(evil.path))

    assert done.code == 1
    assert "not searched" in done.err
    assert path.name in done.err


def test_link_loops_in_a_repository_are_reported(evil: EvilRepository, keybearer: CommandLine) -> None:
    for name in ("one", "two"):
        (evil.path / ".git" / "refs" / name).symlink_to("..")

    done = keybearer.process("scan", str(evil.path))

    assert done.code == 1
    assert "not searched" in done.err


@pytest.mark.parametrize("lines", ["{path}\n", '"{path}"\n', "# {path}\n"])
def test_a_pipe_in_a_borrowed_object_directory_does_not_block(
    lines: str, evil: EvilRepository, keybearer: CommandLine, tmp_path: Path
) -> None:
    borrowed = tmp_path / "borrowed"
    (borrowed / "pack").mkdir(parents=True)
    (borrowed / "info").mkdir()
    os.mkfifo(borrowed / "pack" / "pack-0.idx")
    os.mkfifo(borrowed / "info" / "alternates")
    (evil.path / ".git" / "objects" / "info" / "alternates").write_text(lines.format(path=borrowed))

    done = keybearer.process("scan", str(evil.path))

    assert done.code == 1


def test_borrowed_objects_are_searched(evil: EvilRepository, keybearer: CommandLine, tmp_path: Path) -> None:
    evil.git("clone", "-q", "--shared", str(evil.path), str(tmp_path / "clone"))

    done = keybearer("scan", "--json", str(tmp_path / "clone"))

    assert [finding["path"] for finding in json.loads(done.out)["findings"]] == ["settings"]


def test_the_history_of_a_linked_working_tree_is_searched_once(
    evil: EvilRepository, keybearer: CommandLine, tmp_path: Path
) -> None:
    evil.git("worktree", "add", "-q", str(tmp_path / "linked"), "HEAD")

    alone = keybearer("scan", "--json", str(tmp_path / "linked"))
    both = keybearer("scan", "--json", str(tmp_path))

    assert [finding["path"] for finding in json.loads(alone.out)["findings"]] == ["settings"]
    assert len(json.loads(both.out)["findings"]) == 1


def test_the_settings_of_a_repository_are_searched_as_files(evil: EvilRepository, keybearer: CommandLine) -> None:
    (evil.path / ".git" / "hooks" / "post-commit").write_text(LEAK)

    done = keybearer("scan", "--no-history", str(evil.path))

    assert done.out.startswith(str(evil.path / ".git" / "hooks" / "post-commit"))


def test_a_repository_with_sha256_objects_is_searched(keybearer: CommandLine, tmp_path: Path) -> None:
    repository = EvilRepository(tmp_path / "sha256")
    (repository.path / ".git").rename(tmp_path / "unused")
    repository.git("init", "-q", "-b", "main", "--object-format=sha256")
    repository.commit("settings", LEAK)
    repository.commit("settings", "nothing\n")

    done = keybearer("scan", "--json", str(repository.path))

    assert [finding["path"] for finding in json.loads(done.out)["findings"]] == ["settings"]


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link to a pipe"])
def test_a_named_path_that_is_not_a_file_is_refused(kind: str, keybearer: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "named"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
        case "device":
            path = Path("/dev/zero")
        case _:
            os.mkfifo(tmp_path / "pipe")
            path.symlink_to("pipe")

    done = keybearer.process("scan", str(path))

    assert done.code == 1
    assert "not a file" in done.complaint


def test_a_link_to_itself_is_not_found(keybearer: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    assert "no such file" in keybearer("scan", str(tmp_path / "loop")).complaint
