"""Run the measurements that are named, or all: `python -m benchmarks [NAME…]`."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks

PARTS = {"__main__", "bare", "load", "population"}
"""Modules that measurements are made of."""


def main(names: list[str]) -> int:
    """The exit code: 2 for a name that nothing has."""
    known = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name not in PARTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"There is no measurement {unknown[0]!r}; there is: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in names or known:
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
