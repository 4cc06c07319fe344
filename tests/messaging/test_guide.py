"""The guide to testing a bot: its example is run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "testing-a-bot.md"


def test_the_guides_example_passes(tmp_path: Path) -> None:
    for name, content in re.findall(r"```python file=(\S+)\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        (tmp_path / name).write_text(content)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout
