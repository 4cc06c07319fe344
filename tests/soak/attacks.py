"""What strangers and accounts do to a server, each attack for some seconds.

To add one, write a coroutine that attacks a target for a number of seconds, and name it in ATTACKS. It runs in a
process of its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from keybearer.server.workers import raise_descriptor_limit

CONNECTIONS = 10_000
UPLOADS = 16
OPENED_A_SECOND = 2500
MIB = 1024 * 1024


@dataclass(frozen=True)
class Person:
    """An account as which an attack or honest use acts, with the queues that it may poll."""

    email: str
    api_key: str
    queues: tuple[str, ...] = ()

    @property
    def authorization(self) -> str:
        """The value of the authorization header."""
        return "Basic " + base64.b64encode(f"{self.email}:{self.api_key}".encode()).decode()


@dataclass(frozen=True)
class Target:
    """The attacked server: its port and process, and accounts on it. Nobody else uses the first account."""

    port: int
    pid: int
    honest: Person
    people: tuple[Person, ...]

    def head(self, method: str, path: str, *headers: str) -> bytes:
        """The head of a request."""
        return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *headers, "", ""]).encode()

    def workers(self) -> list[int]:
        """The process ids of the live workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in children.read_text().split()]


@dataclass(frozen=True)
class Attack:
    """A name for the table, and the attack on a target for a number of seconds.

    `ramp` is the seconds until all of it is running: honest use is measured after that.
    """

    name: str
    run: Callable[[Target, float], Awaitable[None]]
    ramp: float = 5.0


def attack(name: str, target: Target, seconds: float) -> None:
    """Run the attack with that name: the whole work of its process."""
    raise_descriptor_limit()
    (found,) = (each for each in ATTACKS if each.name == name)

    async def run() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await found.run(target, seconds)

    asyncio.run(run())


async def _keep_open(target: Target, delay: float, first: bytes, again: bytes, *, reads: bool = True) -> None:
    """One connection that sends something, then a little from time to time. It is opened again whenever it is
    closed.
    """
    await asyncio.sleep(delay)
    while True:
        writer = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            writer.write(first)
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        if not reads:
                            await asyncio.sleep(6)
                        if not await reader.read(64 * 1024):
                            break
                writer.write(again)
        except OSError:
            await asyncio.sleep(1)
        finally:
            if writer is not None:
                writer.close()


async def _hold(
    target: Target, firsts: Iterator[bytes] | bytes, again: bytes = b"", *, count: int = CONNECTIONS, reads: bool = True
) -> None:
    each_first = iter([firsts] * count) if isinstance(firsts, bytes) else firsts
    connections = (
        _keep_open(target, number / OPENED_A_SECOND, first, again, reads=reads)
        for number, first in zip(range(count), each_first, strict=False)
    )
    await asyncio.gather(*connections)


async def be_silent(target: Target, _seconds: float) -> None:
    await _hold(target, b"")


async def trickle_heads(target: Target, _seconds: float) -> None:
    await _hold(target, b"GET / HTTP/1.1\r\nX: ", b"x")


async def fill_heads(target: Target, _seconds: float) -> None:
    await _hold(target, b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000, b"x")


async def stay_after_an_answer(target: Target, _seconds: float) -> None:
    await _hold(target, target.head("GET", "/robots.txt"))


def _form(target: Target, path: str, length: int, *headers: str, method: str = "POST") -> bytes:
    kind = "Content-Type: application/x-www-form-urlencoded"
    return target.head(method, path, kind, f"Content-Length: {length}", *headers)


async def trickle_bodies(target: Target, _seconds: float) -> None:
    await _hold(target, _form(target, "/login/", 60_000) + b"x", b"x")


async def fill_bodies(target: Target, _seconds: float) -> None:
    await _hold(target, _form(target, "/login/", 60_000) + b"x" * 50_000, b"x")


async def fill_bodies_of_accounts(target: Target, _seconds: float) -> None:
    heads = [
        _form(target, "/api/v1/settings", MIB, f"Authorization: {person.authorization}", method="PATCH")
        + b"x" * 900_000
        for person in target.people
    ]
    await _hold(target, iter(heads * 20), b"x", count=20 * len(heads))


async def wait_for_events(target: Target, _seconds: float) -> None:
    polls = (
        target.head(
            "GET", f"/api/v1/events?queue_id={queue}&last_event_id=-1", f"Authorization: {person.authorization}"
        )
        for person in target.people
        for queue in person.queues
    )
    await _hold(target, polls)


async def read_nothing(target: Target, _seconds: float) -> None:
    await _hold(target, target.head("GET", "/help/") * 50, count=2000, reads=False)


async def _upload(target: Target, path: str, missing: int, *headers: str) -> None:
    """Send a file of 25 MB again and again, each time without its last bytes."""
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    length = len(part) + 25 * MIB + len(b"\r\n--x--\r\n")
    head = target.head(
        "POST", path, "Content-Type: multipart/form-data; boundary=x", f"Content-Length: {length}", *headers
    )
    while True:
        writer = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            writer.write(head + part)
            for _ in range(25 * 16 - missing):
                writer.write(b"x" * (MIB // 16))
                await writer.drain()
            await reader.read()
        except OSError:
            await asyncio.sleep(0.05)
        finally:
            if writer is not None:
                writer.close()


async def upload_unknown(target: Target, _seconds: float) -> None:
    paths = ["/api/v1/user_uploads", "/json/user_uploads", "/login/", "/api/v1/fetch_api_key"]
    await asyncio.gather(*(_upload(target, paths[number % 4], 0) for number in range(UPLOADS)))


async def upload_known(target: Target, _seconds: float) -> None:
    header = f"Authorization: {target.people[0].authorization}"
    await asyncio.gather(*(_upload(target, "/api/v1/user_uploads", 1, header) for _ in range(UPLOADS)))


async def kill_workers(target: Target, seconds: float) -> None:
    for _ in range(int(seconds // 2)):
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(random.choice(target.workers()), signal.SIGKILL)
        await asyncio.sleep(2)


ATTACKS = (
    Attack("10,000 silent connections", be_silent),
    Attack("10,000 heads that trickle", trickle_heads),
    Attack("10,000 heads of 40 kB without an end", fill_heads),
    Attack("10,000 connections kept open after an answer", stay_after_an_answer),
    Attack("10,000 sign-in forms that trickle", trickle_bodies, ramp=10.0),
    Attack("10,000 sign-in forms of 50 kB without an end", fill_bodies, ramp=10.0),
    Attack("400 forms of 900 kB without an end, of 20 accounts", fill_bodies_of_accounts),
    Attack("10,000 polls for events, of 20 accounts", wait_for_events, ramp=25.0),
    Attack("100,000 pages on 2,000 connections that read nothing", read_nothing),
    Attack("16 anonymous uploads of 25 MB, again and again", upload_unknown),
    Attack("16 uploads of 25 MB without an end, of one account", upload_known),
    Attack("a worker killed every two seconds", kill_workers),
)
