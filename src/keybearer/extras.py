"""The optional parts of Keybearer, whose packages need not be installed."""

from __future__ import annotations

import importlib
from types import ModuleType

from keybearer.errors import PackageMissing


def load(module: str) -> ModuleType:
    """Import a module of ours that needs the extra `server`. Raises PackageMissing if a package is not installed."""
    missing = ""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == __package__:  # a fault of ours, and not of the installation
            raise
    raise PackageMissing(
        f"The server's part of Keybearer is not installed: the package {missing} is missing",
        hint="Run: pip install 'keybearer[server]'",
    )
