"""Honest use next to an attack: how long its requests take, and which of them are refused or lost."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.soak.attacks import Target

THREADS = 4
PAUSE = 0.02
PATIENCE = 30
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Use:
    """The results of honest use. `seconds` are the times of `users/me`, each on a new connection."""

    seconds: list[float] = field(default_factory=list)
    others: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def p99(self) -> float:
        """The time in milliseconds that one request in a hundred exceeds."""
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)] * 1000


def use(target: Target, seconds: float) -> Use:
    """Use the server for this many seconds: the whole work of its process."""
    seen, end = Use(), time.monotonic() + seconds

    def read() -> None:
        while time.monotonic() < end:
            start = time.monotonic()
            _ask(target, seen, "GET", "/api/v1/users/me")
            seen.seconds.append(time.monotonic() - start)
            time.sleep(PAUSE)

    def write() -> None:
        while time.monotonic() < end:
            message = {"type": "direct", "to": f'["{target.honest.email}"]', "content": "hello"}
            _ask(target, seen, "POST", "/api/v1/messages", message)
            _ask(target, seen, "POST", "/api/v1/register", {"event_types": "[]", "idle_queue_timeout": "1"})
            seen.others += 2
            time.sleep(0.5)

    threads = [threading.Thread(target=read) for _ in range(THREADS)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def _ask(target: Target, seen: Use, method: str, path: str, fields: dict[str, str] | None = None) -> None:
    """One request. Like every client, this one sends it a second time if its connection broke."""
    headers = {"Authorization": target.honest.authorization, **(FORM if fields else {})}
    for last in (False, True):
        connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=PATIENCE)
        try:
            connection.request(method, path, urlencode(fields) if fields else None, headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                seen.failures.append(f"{method} {path}: {response.status} {answer[:80]!r}")
            return
        except (OSError, http.client.HTTPException) as error:
            if last:
                seen.failures.append(f"{method} {path}: {error!r}")
        finally:
            connection.close()
