"""Completion in the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.command_line import SCRIPT, CommandLine


def completions(keybearer: CommandLine, words: str) -> list[str]:
    """The completions of bash after these words."""
    count = len(words.split(" ")) - 1
    done = keybearer.process(_KEYBEARER_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(count))
    return [line.partition(",")[2] for line in done.out.splitlines()]


def test_commands_are_completed(keybearer: CommandLine) -> None:
    assert {"whoami", "scan", "bot"} <= set(completions(keybearer, "keybearer "))
    assert completions(keybearer, "keybearer who") == ["whoami"]


def test_options_and_their_values_are_completed(keybearer: CommandLine) -> None:
    assert "--profile" in completions(keybearer, "keybearer whoami --p")
    assert completions(keybearer, "keybearer bot add --type incoming") == ["incoming-webhook"]


def test_commands_below_a_command_are_completed(keybearer: CommandLine) -> None:
    assert set(completions(keybearer, "keybearer bot ")) >= {"list", "zuliprc"}


def test_profiles_are_completed(keybearer: CommandLine) -> None:
    directory = keybearer.home / ".config" / "zulip"
    directory.mkdir(parents=True)
    for name in ("work", "home"):
        (directory / f"{name}.zuliprc").write_text("")

    assert completions(keybearer, "keybearer whoami --profile ") == ["home", "work"]
    assert completions(keybearer, "keybearer whoami --profile w") == ["work"]


def test_bash_completes_with_the_printed_code(keybearer: CommandLine) -> None:
    script = (
        f'eval "$({SCRIPT} completion bash)"; COMP_WORDS=(keybearer who); COMP_CWORD=1; '
        '_keybearer_completion keybearer; echo "${COMPREPLY[@]}"'
    )
    environ = {"PATH": f"{Path(SCRIPT).parent}:{os.environ['PATH']}", "HOME": str(keybearer.home)}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environ, check=True)

    assert done.stdout == "whoami\n"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_every_shell_has_completion_code(keybearer: CommandLine, shell: str) -> None:
    code = keybearer("completion", shell).out

    assert "_KEYBEARER_COMPLETE" in code
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=code, text=True, check=True)


def test_the_default_shell_is_the_current_one(keybearer: CommandLine) -> None:
    assert keybearer("completion", SHELL="/usr/bin/fish").out == keybearer("completion", "fish").out
    assert keybearer("completion", SHELL="/bin/tcsh").code == 2
