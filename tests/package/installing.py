"""The wheel, and environments with only the wheel and the packages that it requires.

The packages are linked from the environment of the tests, so nothing is downloaded. pip then installs the wheel, and
fails if a package is missing.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.server_process import clean_environ

ROOT = Path(__file__).parents[2]
LONGEST = 60
"""Seconds after which a command counts as hanging."""


@dataclass(frozen=True)
class Installation:
    """An environment in which the wheel is installed."""

    directory: Path

    @property
    def keybearer(self) -> Path:
        """The command."""
        return self.directory / "bin" / "keybearer"

    def run(self, *arguments: str | Path, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `keybearer` to its end."""
        return self._run(self.keybearer, *arguments, stdin=stdin, environ=environ)

    def python(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program in Python."""
        return self._run(self.directory / "bin" / "python", "-I", "-c", program, *arguments, stdin="", environ={})

    def _run(
        self, command: Path, *arguments: str | Path, stdin: str, environ: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        variables = clean_environ({"HOME": str(self.directory), **environ})
        return subprocess.run(
            [command, *arguments],
            cwd=self.directory,
            env={name: value for name, value in variables.items() if not name.startswith(("PYTHON", "XDG_"))},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )


def build_wheel(directory: Path) -> Path:
    """Build the source distribution, and the wheel only from that."""
    _build(ROOT, "sdist", directory)
    (sdist,) = directory.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(directory, filter="data")
    _build(directory / sdist.name.removesuffix(".tar.gz"), "wheel", directory)
    (wheel,) = directory.glob("*.whl")
    return wheel


def metadata_of(wheel: Path) -> Message:
    """The metadata of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(path).decode())


def packages_of(wheel: Path, *extras: str) -> set[str]:
    """The names of all packages that the wheel needs with these extras, and of those that they need."""
    waiting = [(text, ("", *extras)) for text in metadata_of(wheel).get_all("Requires-Dist", [])]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    names: set[str] = set()
    while waiting:
        text, wanted = waiting.pop()
        requirement = Requirement(text)
        if (text, wanted) in seen or not _applies(requirement, wanted):
            continue
        seen.add((text, wanted))
        names.add(canonicalize_name(requirement.name))
        below = importlib.metadata.distribution(requirement.name)
        waiting += [(one, ("", *sorted(requirement.extras))) for one in below.requires or []]
    return names


def install(wheel: Path, directory: Path, *extras: str) -> Installation:
    """Install the wheel with these extras into an environment that has only what they need."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(directory)
    site = directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for name in packages_of(wheel, *extras):
        _link(importlib.metadata.distribution(name), site)
    wanted = f"{wheel}[{','.join(extras)}]" if extras else str(wheel)
    python = directory / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", wanted],
        env={**clean_environ(), "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""},
        check=True,
        timeout=LONGEST,
    )
    return Installation(directory)


def _build(project: Path, target: str, directory: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", directory],
        cwd=project,
        check=True,
        capture_output=True,
        timeout=LONGEST,
    )


def _applies(requirement: Requirement, extras: tuple[str, ...]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def _link(package: importlib.metadata.Distribution, site: Path) -> None:
    for file in package.files or []:
        if ".." not in file.parts:  # a script, which belongs to the other environment
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).symlink_to(Path(str(package.locate_file(file))).resolve())
