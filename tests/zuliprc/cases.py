"""The cases of `cases.json`: inputs with our expected result and, if it differs, that of the bindings.

`rules` gives the reason for each difference, by name. A case of `resolving` has the text of `~/.zuliprc`, more files
by path, the environment, and arguments or options. `$HOME`, `$CWD` and `$TMP` stand for three fresh directories.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_DATA: dict[str, Any] = json.loads(Path(__file__).with_name("cases.json").read_text())

RULES: Mapping[str, str] = _DATA["rules"]


@dataclass(frozen=True)
class Case:
    """A case of resolving. `source` is what requires it: `both` means Zulip's document and its bindings."""

    id: str
    source: str
    expect: Mapping[str, Any]
    file: str | None = None
    files: Mapping[str, Any] = field(default_factory=dict)
    mode: str = "600"
    environ: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] | None = None
    rule: str = ""
    bindings: Mapping[str, Any] | None = None


RESOLVING = [Case(**one) for one in _DATA["resolving"]]
RENDERING: list[dict[str, Any]] = _DATA["rendering"]


@dataclass(frozen=True)
class Scene:
    """A case's three directories, with its files in them."""

    root: Path

    def prepare(self, case: Case) -> None:
        for name in ("home", "cwd", "tmp"):
            (self.root / name).mkdir()
        if case.file is not None:
            zuliprc = self.root / "home" / ".zuliprc"
            zuliprc.write_bytes(self.filled(case.file).encode())
            zuliprc.chmod(int(case.mode, 8))
        for path, content in case.files.items():
            target = Path(self.filled(path))
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                target.write_text(self.filled(content))
            else:
                target.write_bytes(base64.b64decode(content["b64"]))
            target.chmod(0o600)

    def filled(self, value: Any) -> Any:
        """`value` with the names of directories replaced by their paths."""
        if isinstance(value, str):
            for name in ("home", "cwd", "tmp"):
                value = value.replace(f"${name.upper()}", str(self.root / name))
            return value
        if isinstance(value, Mapping):
            return {key: self.filled(one) for key, one in value.items()}
        return [self.filled(one) for one in value] if isinstance(value, list | tuple) else value

    def environ(self, case: Case) -> dict[str, str]:
        return {"HOME": str(self.root / "home"), **self.filled(case.environ)}

    @property
    def working_directory(self) -> Path:
        return self.root / "cwd"
