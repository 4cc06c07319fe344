"""Temporary files of the tests: in memory where there is room, and where TMPDIR says otherwise."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests import temporary_files


@pytest.fixture(autouse=True)
def as_at_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", "")  # so that the end of the test takes it away again, if it was not set
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(temporary_files, "MEMORY", tmp_path)
    monkeypatch.setattr(temporary_files, "ROOM", 1)


def test_temporary_files_of_this_process_and_its_children_are_in_memory(tmp_path: Path) -> None:
    temporary_files.keep_in_memory()

    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(tmp_path)


def test_the_directory_that_the_environment_names_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/somewhere")

    temporary_files.keep_in_memory()

    assert os.environ["TMPDIR"] == "/somewhere"


@pytest.mark.parametrize("changed", [("ROOM", 2**80), ("MEMORY", Path("/dev/missing"))], ids=["no room", "missing"])
def test_the_usual_directory_is_used_without_room_in_memory(
    monkeypatch: pytest.MonkeyPatch, changed: tuple[str, object]
) -> None:
    monkeypatch.setattr(temporary_files, *changed)

    temporary_files.keep_in_memory()

    assert "TMPDIR" not in os.environ
