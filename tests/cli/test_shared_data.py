"""The files of the wheel in `share/` match the commands."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.cli.shared_data import DIRECTORY, render


def test_the_manual_and_the_completions_match_the_commands() -> None:
    paths = [path for path in DIRECTORY.rglob("*") if path.is_file()]
    written = {str(path.relative_to(DIRECTORY)): path.read_text("utf-8") for path in paths}

    assert written == render(), "run: python -m tests.cli.shared_data"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_manual_is_valid_troff() -> None:
    page = DIRECTORY / "man" / "man1" / "keybearer.1"
    done = subprocess.run(["groff", "-ww", "-man", "-Tutf8", page], capture_output=True, text=True, check=True)

    assert done.stderr == ""
