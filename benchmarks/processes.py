"""The resources of a server's processes: the main one and all its children."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Server:
    """A server on a port of this machine, and its main process."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time that its processes have used so far."""
        return sum(_cpu(pid) for pid in _tree(self.pid))

    def memory(self) -> float:
        """MB that its workers have resident now."""
        workers = [pid for pid in _tree(self.pid) if pid != self.pid]
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in workers) * _PAGE / 1e6

    def wait_until_idle(self) -> None:
        """Return when it has done nothing for half a second. Raises TimeoutError after a minute."""
        for _ in range(120):
            before = self.cpu()
            time.sleep(0.5)
            if self.cpu() - before < 0.03:
                return
        raise TimeoutError("the server does not become idle")


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def _cpu(pid: int) -> float:
    # The name of the program, in parentheses, may contain spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
