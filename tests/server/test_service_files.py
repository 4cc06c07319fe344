"""The files with which operators run the server: the systemd unit and the Containerfile."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from keybearer.server.settings import VARIABLES
from tests.server_process import KEYBEARER

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/how-to"
ANALYZE = shutil.which("systemd-analyze")
MOST_EXPOSED = 2.0
"""What systemd calls "OK" begins at 4.9; most services of a distribution have more than 9."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with the path of the existing command."""
    text = (GUIDE / "keybearer.service").read_text()
    assert "ExecStart=/opt/keybearer/bin/keybearer serve\n" in text
    path = tmp_path / "keybearer.service"
    path.write_text(text.replace("/opt/keybearer/bin/keybearer", KEYBEARER))
    return path


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed")
def test_systemd_understands_every_line_of_the_unit_and_rates_it_as_well_confined(unit: Path) -> None:
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    looked_at = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--json=short", unit],
        capture_output=True,
        text=True,
        check=True,
    )
    exposures = [float(each["exposure"] or 0) for each in json.loads(looked_at.stdout)]
    assert sum(exposures) <= MOST_EXPOSED, [each for each in json.loads(looked_at.stdout) if each["exposure"]]


@pytest.mark.parametrize("name", ["keybearer.service", "Containerfile"])
def test_every_variable_in_the_service_files_is_a_setting(name: str) -> None:
    named = re.findall(r"KEYBEARER_[A-Z_]+\b", (GUIDE / name).read_text())
    assert named
    assert set(named) - {"KEYBEARER_"} <= set(VARIABLES.values())


def test_what_the_containerfile_copies_exists_and_belongs_to_the_project() -> None:
    text = (GUIDE / "Containerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert copied
    assert [each for each in copied if not (ROOT / each).exists()] == []
    project = (ROOT / "pyproject.toml").read_text()
    assert {"README.md", "LICENSE"} <= {name for name in copied if f'"{name}"' in project}
