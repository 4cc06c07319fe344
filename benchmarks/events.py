"""How long a message takes to all who wait for it: 500 event queues, each with a poll open, over real connections."""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.server_process import started_server

from benchmarks.population import Credential, populate
from keybearer.server.settings import Settings

QUEUES = 500
ROUNDS = 5
NO_LIMIT = {"KEYBEARER_API_LIMIT": "1000000000/minute"}


@dataclass
class Listener:
    """An account with a connection of its own and a queue."""

    credential: Credential
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    queue_id: str = ""
    last_event_id: int = -1

    async def call(self, method: str, path: str, **parameters: object) -> dict[str, Any]:
        """One call on the connection."""
        self.begin(method, path, **parameters)
        return await self.answer()

    def begin(self, method: str, path: str, **parameters: object) -> None:
        """Send a call and leave its answer for later."""
        form = urlencode(
            {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
        )
        query, body = (f"?{form}", "") if method == "GET" else ("", form)
        token = base64.b64encode(f"{self.credential.email}:{self.credential.key}".encode()).decode()
        self.writer.write(
            f"{method} /api/v1/{path}{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {token}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    async def answer(self) -> dict[str, Any]:
        """The answer to what was begun."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        answer: dict[str, Any] = json.loads(await self.reader.readexactly(length))
        if answer["result"] != "success":
            raise RuntimeError(answer["msg"])
        return answer

    async def heard(self) -> float:
        """Wait for the open poll's answer; returns when it came."""
        events = (await self.answer())["events"]
        at = time.perf_counter()
        self.last_event_id = events[-1]["id"]
        return at


async def _connected(credential: Credential, port: int) -> Listener:
    return Listener(credential, *await asyncio.open_connection("127.0.0.1", port))


async def _listening(credential: Credential, port: int) -> Listener:
    listener = await _connected(credential, port)
    answer = await listener.call("POST", "register", event_types=["message"], fetch_event_types=["message"])
    listener.queue_id = answer["queue_id"]
    return listener


async def _rounds(port: int, credentials: Sequence[Credential]) -> list[tuple[float, float]]:
    """For each message: how long until half of the polls had it, and until all had."""
    sender = await _connected(credentials[0], port)
    everybody = list(range(1, len(credentials) + 1))
    await sender.call("POST", "users/me/subscriptions", subscriptions=[{"name": "all"}], principals=everybody)
    listeners = [await _listening(credential, port) for credential in credentials]
    found = []
    for number in range(ROUNDS):
        for listener in listeners:
            listener.begin("GET", "events", queue_id=listener.queue_id, last_event_id=listener.last_event_id)
        await asyncio.sleep(2)  # until every poll waits
        begun = time.perf_counter()
        sending = asyncio.create_task(
            sender.call("POST", "messages", type="stream", to="all", topic="x", content=str(number))
        )
        times = sorted(at - begun for at in await asyncio.gather(*(listener.heard() for listener in listeners)))
        await sending
        found.append((statistics.median(times), times[-1]))
    for listener in (sender, *listeners):
        listener.writer.close()
    return found


def main() -> None:
    """Send messages to all queues, with one worker and with two, and print how long they took."""
    for workers in (1, 2):
        with tempfile.TemporaryDirectory(prefix="keybearer-benchmark-") as directory:
            data_dir = Path(directory, "data")
            credentials = asyncio.run(populate(Settings(data_dir=data_dir), QUEUES, site="http://127.0.0.1"))
            with started_server(data_dir, "--workers", str(workers), environ=NO_LIMIT) as server:
                found = asyncio.run(_rounds(server.port, credentials))
        rounds = ", ".join(f"{last * 1000:.0f}" for _, last in found)
        print(f"A message to {QUEUES} waiting queues, {workers} worker(s): all had it after {rounds} ms")
        half = statistics.median(half for half, _ in found) * 1000
        last = statistics.median(last for _, last in found) * 1000
        print(f"  median: half after {half:.0f} ms, all after {last:.0f} ms")


if __name__ == "__main__":
    main()
