"""Running a part of the tests: a single file is fast, and a missing path is an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.selection import PROCESSES, complaint_about, processes_for

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("one", ["tests/test_secret.py", "tests/test_secret.py::test_equality_is_by_value"])
def test_a_single_file_is_tested_in_one_process(one: str) -> None:
    assert processes_for([one], ROOT) == 0


@pytest.mark.parametrize("several", [["tests"], ["tests/zuliprc"], ["tests/test_secret.py", "tests/test_masking.py"]])
def test_directories_and_several_files_are_tested_in_several_processes(several: list[str]) -> None:
    assert processes_for(several, ROOT) == PROCESSES


def test_existing_paths_are_accepted() -> None:
    assert complaint_about(["tests/test_secret.py::test_name", "tests/zuliprc"], ROOT) is None


def test_a_mistyped_path_is_an_error_that_names_the_likely_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/zuliprc/test_documents.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "There is no tests/zuliprc/test_documents.py. Did you mean tests/zuliprc/test_document.py?" in done.stderr
