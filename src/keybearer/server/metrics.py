"""What the server measures about itself, for Prometheus. No metric names an account, an address or a key."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keybearer._version import __version__
from keybearer.errors import SettingError

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where the client library makes the workers of one server store their numbers, so that one page shows the sums."""

FASTEST, SLOWEST = 0.001, 60.0
BUCKETS = (FASTEST, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, SLOWEST)
"""Upper bounds of the buckets for durations, in seconds. A poll for events waits for nearly a minute."""

BACKLOGS: Mapping[str, str] = {
    "mails": "Mails waiting to be sent.",
    "mails_given_up": "Mails that failed too often.",
    "events": "Events that are kept for the queues of clients.",
    "event_queues": "Queues of clients waiting for events.",
    "webhook_calls": "Calls of outgoing webhooks waiting to be made.",
}
"""What waits in the database, by the value of the label `of`."""


class Metrics:
    """Receives measurements when something happens. This class measures nothing: metrics are off."""

    is_on = False

    def note_request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is a method and the pattern of a path."""

    def note_key_check(self, outcome: str) -> None:
        """An API key was checked: it was `good`, `malformed`, `ended` or `refused`."""

    def note_late_use(self) -> None:
        """A key that has ended was used."""

    def note_limit(self, limit: str) -> None:
        """A limit was reached: on `calls`, on `failed_keys`, or on `attempts`.

        Attempts are passwords, requests to reset one, and requests to join.
        """

    def note_sign_in(self, outcome: str) -> None:
        """A password was given: it `succeeded` or `failed`."""

    def note_transaction(self, kind: str, seconds: float) -> None:
        """A transaction (`read` or `write`) or a direct look-up (`lookup`) ended, successfully or not."""

    def note_loop_delay(self, seconds: float) -> None:
        """The event loop ran something this much later than it was due."""

    def set_backlog(self, of: str, count: int) -> None:
        """This much waits in the database, for one of `BACKLOGS`."""

    def set_waiting_polls(self, count: int) -> None:
        """This many polls wait for events in this worker."""

    def set_connections(self, pool: str, count: int) -> None:
        """This many connections to the database are in use in this worker, from the pool `reader` or `writer`."""


NO_METRICS = Metrics()


class PrometheusMetrics(Metrics):
    """Measures with Prometheus's client library, which is loaded only now.

    In the workers of a server the numbers are stored in files that all of them share; in a single process they are in
    memory.
    """

    is_on = True

    def __init__(self, registry: Any = None) -> None:  # noqa: ANN401  the library is not loaded elsewhere
        import prometheus_client as library  # noqa: PLC0415

        registry = registry or library.CollectorRegistry()
        self.registry = registry

        def counter(name: str, text: str, *labels: str) -> Any:  # noqa: ANN401
            return library.Counter(f"keybearer_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Any:  # noqa: ANN401
            return library.Histogram(f"keybearer_{name}", text, labels, registry=registry, buckets=BUCKETS)

        def gauge(name: str, text: str, mode: Any, *labels: str) -> Any:  # noqa: ANN401
            return library.Gauge(f"keybearer_{name}", text, labels, registry=registry, multiprocess_mode=mode)

        self._requests = counter("requests", "Requests answered, by route and status.", "route", "status")
        self._latency = histogram("request_seconds", "Time until a request was answered.", "route")
        self._key_checks = counter("key_checks", "API keys checked, by outcome.", "outcome")
        self._late_uses = counter("late_key_uses", "Uses of API keys that have ended.")
        self._limits = counter("limits_reached", "Requests refused because of a limit.", "limit")
        self._sign_ins = counter("sign_ins", "Passwords given, by outcome.", "outcome")
        self._transactions = histogram("database_seconds", "Time of transactions and look-ups.", "kind")
        self._loop_delay = histogram("event_loop_delay_seconds", "How late the event loop runs due work.")
        self._backlog = gauge("backlog", "What waits in the database.", "mostrecent", "of")
        self._polls = gauge("waiting_polls", "Polls waiting for events.", "livesum")
        self._connections = gauge("database_connections", "Connections in use.", "livesum", "pool")
        build = gauge("build", "The running version; always 1.", "max", "version", "python")
        build.labels(__version__, platform.python_version()).set(1)

    def note_request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, status).inc()
        self._latency.labels(route).observe(seconds)

    def note_key_check(self, outcome: str) -> None:
        self._key_checks.labels(outcome).inc()

    def note_late_use(self) -> None:
        self._late_uses.inc()

    def note_limit(self, limit: str) -> None:
        self._limits.labels(limit).inc()

    def note_sign_in(self, outcome: str) -> None:
        self._sign_ins.labels(outcome).inc()

    def note_transaction(self, kind: str, seconds: float) -> None:
        self._transactions.labels(kind).observe(seconds)

    def note_loop_delay(self, seconds: float) -> None:
        self._loop_delay.observe(seconds)

    def set_backlog(self, of: str, count: int) -> None:
        self._backlog.labels(of).set(count)

    def set_waiting_polls(self, count: int) -> None:
        self._polls.set(count)

    def set_connections(self, pool: str, count: int) -> None:
        self._connections.labels(pool).set(count)


@contextmanager
def published(host: str, port: int) -> Iterator[None]:
    """Show the metrics of all workers that are started within the block at http://host:port/metrics.

    Raises SettingError if the server cannot listen on the port.
    """
    with tempfile.TemporaryDirectory(prefix="keybearer-metrics-") as directory:
        # The library reads the variable when it is loaded, and the workers inherit it.
        os.environ[DIRECTORY_VARIABLE] = directory
        import prometheus_client as library  # noqa: PLC0415
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        class Workers(MultiProcessCollector):
            """What all workers counted. A worker that starts at this moment has files that are still empty."""

            def collect(self) -> Any:  # noqa: ANN401  as the library has it
                files = [str(path) for path in Path(directory).glob("*.db") if _has_content(path)]
                return self.merge(files, accumulate=True)  # type: ignore[no-untyped-call]

        registry = library.CollectorRegistry()
        Workers(registry)  # type: ignore[no-untyped-call]
        try:
            server, thread = library.start_http_server(port, host, registry)
        except OSError as error:
            raise SettingError("KEYBEARER_METRICS", f"cannot listen on {host}:{port}: {error.strerror}") from None
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
            del os.environ[DIRECTORY_VARIABLE]


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:  # it was of a worker that has ended
        return False


def forget_worker(pid: int) -> None:
    """Leave out what an ended worker had in use. What it counted stays."""
    if DIRECTORY_VARIABLE in os.environ:
        from prometheus_client import multiprocess  # noqa: PLC0415

        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
