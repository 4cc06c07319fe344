"""Other people's clients, installed once into a cache directory from locks with hashes, unpatched."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TAKES_AT_MOST = 300.0


def terminal() -> Path:
    """zulip-terminal and what it needs, to be put on the path of a Python of its own."""
    return _packages("terminal")


def programs() -> Path:
    """Programs of other people for Zulip, and what they need, to be put on the path of a Python of their own."""
    return _packages("programs")


def _packages(name: str) -> Path:
    lock = HERE / name / "requirements.txt"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--ignore-requires-python"]
    return _installed(name, [lock], [*command, "--requirement", "requirements.txt", "--target", "packages"])


def javascript() -> Path:
    """A directory in which Node finds zulip-js."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node and npm are not installed: zulip-js cannot be tried")
    files = [HERE / "javascript" / name for name in ("package.json", "package-lock.json")]
    return _installed("javascript", files, [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])


def _installed(name: str, files: list[Path], command: list[str]) -> Path:
    """Where the client is, installed now if it is not there yet; skips the test where it cannot be had."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "keybearer-tests")
    target = cache / f"{name}-{digest}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    # Beside its place first, so that nobody finds it half installed; of two at once, the first one stays.
    unfinished = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=cache))
    for file in files:
        shutil.copy(file, unfinished)
    try:
        done = subprocess.run(
            command, cwd=unfinished, capture_output=True, text=True, check=False, timeout=TAKES_AT_MOST
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
            pytest.skip(f"{name} could not be installed: {last}")
        if not target.exists():
            unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target
