"""The workers of a server: how many connections each may hold, and how one that dies is replaced."""

from __future__ import annotations

import logging
import resource
import socket
import sys
import time
from collections.abc import Callable
from ctypes import c_bool
from functools import partial
from multiprocessing.sharedctypes import RawValue
from typing import Any

from granian import _granian
from granian.http import HTTP1Settings
from granian.server.mp import MPServer, WorkerProcess

from keybearer.server.domain.limits import MOST_CONNECTIONS
from keybearer.server.metrics import forget_worker

BACKLOG = 4096
"""Connections that wait to be accepted. The kernel takes the smaller of this and `net.core.somaxconn`."""

SPARE_DESCRIPTORS = 512
"""File descriptors of a worker that are reserved for its database, its files and its own calls."""

HEAD_WITHIN = 30_000
"""Milliseconds for the head of a request. A connection that sends nothing may stay open as long, before and between
requests.
"""

LARGEST_HEAD = 48 * 1024
"""Bytes of a head: enough for a query that lists 5,000 ids."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a worker is started again that died before it could answer. They are doubled each time, up to the
longest.
"""

STOP_WATCHED_EVERY = 0.02
"""Seconds between two looks at whether the workers have ended."""

_log = logging.getLogger(__name__)


def raise_descriptor_limit() -> int:
    """Raise the limit on open files of this process and its children as far as possible. Returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (OSError, ValueError):  # macOS reports its hard limit as unlimited, but refuses that value
        _log.warning("the limit on open files stays at %d", soft)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def connections_within(descriptors: int) -> int:
    """How many connections a worker may hold if it has this many descriptors."""
    return max(1, min(MOST_CONNECTIONS, descriptors - min(SPARE_DESCRIPTORS, descriptors // 2)))


class Supervisor(MPServer):
    """Granian with one listening socket for all workers. Workers are replaced however often they die.

    The socket is open as long as the server runs, so connections wait while a worker restarts. A worker that had
    started is replaced at once; one that died before that, after a pause. Healthy workers are left alone.
    """

    def __init__(self, listener: socket.socket, **options: Any) -> None:  # noqa: ANN401  Granian's own options
        http1 = HTTP1Settings(header_read_timeout=HEAD_WITHIN, max_buffer_size=LARGEST_HEAD)
        super().__init__("keybearer", backlog=BACKLOG, http1_settings=http1, respawn_failed_workers=True, **options)
        self._listener = listener
        self._started: dict[int, Any] = {}
        self._failures: dict[int, int] = {}

    def _init_shared_socket(self) -> None:
        self._listener.set_inheritable(True)
        self._sso = self._listener
        has_backlog = sys.platform.startswith(("linux", "freebsd"))
        holder: Callable[..., Any] = _granian.SocketHolder
        self._shd = holder(self._listener.fileno(), False, *([self.backlog] if has_backlog else []))

    def _spawn_worker(  # type: ignore[override]  # Granian's own subclass has these
        self,
        idx: int,
        target: Any,  # noqa: ANN401  as Granian has it
        callback_loader: Any,  # noqa: ANN401  as Granian has it
    ) -> WorkerProcess:
        # Without a lock: if a worker were killed while it holds one, this process would wait for ever.
        started = self._started[idx] = RawValue(c_bool, False)
        return super()._spawn_worker(idx, target, partial(callback_loader, partial(setattr, started, "value", True)))

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:  # noqa: ANN401  as Granian has it
        due: dict[int, float] = {}
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(max(0.0, min(due.values()) - time.monotonic()) if due else None)
            self.main_loop_interrupt.clear()
            self.interrupt_children.clear()
            if self.reload_signal and not self.interrupt_signal:
                self._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
            for idx, worker in enumerate(self.wrks):
                if idx not in due and not worker.is_alive():  # type: ignore[no-untyped-call]
                    forget_worker(worker.inner.pid)
                    due[idx] = time.monotonic() + self._pause_after(idx)
            for idx in [idx for idx, at in due.items() if at <= time.monotonic() and not self.interrupt_signal]:
                del due[idx]
                self._replace(idx, spawn_target, target_loader)

    def _stop_workers(self) -> None:
        """End all workers, and kill those that take longer than they may.

        Granian's own method reports of some workers that ended in time that they refused to: a thread also waits for
        each worker, and if that thread sees the end first, the worker counts as alive for another moment.
        """
        for worker in self.wrks:
            worker.terminate()  # type: ignore[no-untyped-call]
        until = time.monotonic() + (self.workers_kill_timeout or 0)
        while any(worker.inner.is_alive() for worker in self.wrks) and time.monotonic() < until:
            time.sleep(STOP_WATCHED_EVERY)
        for idx, worker in enumerate(self.wrks):
            if worker.inner.is_alive():
                _log.warning("worker %d does not stop: it is killed", idx + 1)
                worker.kill()  # type: ignore[no-untyped-call]
            worker.inner.join()
        self.wrks.clear()

    def _pause_after(self, idx: int) -> float:
        """How long to wait before replacing a worker that died."""
        if self._started[idx].value:
            self._failures[idx] = 0
            return 0.0
        failures = self._failures[idx] = self._failures.get(idx, 0) + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
        _log.error("worker %d ended before it could answer; it is started again in %.1f seconds", idx + 1, pause)
        return pause

    def _replace(self, idx: int, spawn_target: Any, target_loader: Any) -> None:  # noqa: ANN401  as Granian has it
        worker = self._spawn_worker(idx, spawn_target, target_loader)
        try:
            worker.start()  # type: ignore[no-untyped-call]
        except OSError as error:  # no memory or no processes are left: the other workers answer in the meantime
            _log.error("worker %d cannot be started: %s", idx + 1, error.strerror)
            self.main_loop_interrupt.set()
        else:
            self.wrks[idx] = worker
