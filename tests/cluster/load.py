"""People who use, replace and lose their keys at every host at once, and programs that try ended keys."""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.cluster.history import OK, Call, History
from tests.cluster.hosts import OWNER_EMAIL, PASSWORD, PEOPLE, SITE_HOST

PROBERS = 3
ANSWERED_WITHIN = 10.0
NEWEST = 40
"""How many of the keys that ended last are tried."""


@dataclass
class Person:
    """An account, and the key that it has as far as is known."""

    id: int
    email: str
    key: str


@dataclass
class Load:
    """The hosts by name, and everything that they were asked."""

    hosts: Mapping[str, str]
    trust: ssl.SSLContext
    history: History = field(default_factory=History)
    owner_key: str = ""
    people: list[Person] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    """Emails with keys whose end was acknowledged."""

    _clients: dict[str, httpx2.AsyncClient] = field(default_factory=dict)
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Find the people, and let all of them act until the block ends."""
        for name, site in self.hosts.items():
            self._clients[name] = httpx2.AsyncClient(
                base_url=site, headers={"Host": SITE_HOST}, timeout=ANSWERED_WITHIN, verify=self.trust
            )
        self.owner_key = await self._fetch_key(OWNER_EMAIL, PASSWORD)
        self.people = [await self._found(email) for email in PEOPLE]
        work = [self._live(person) for person in self.people] + [self._probe() for _ in range(PROBERS)]
        tasks = [asyncio.create_task(each) for each in work]
        try:
            yield
        finally:
            self._done.set()
            await asyncio.gather(*tasks)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()

    async def finish(self) -> None:
        """At every host, valid keys succeed and ended keys do not."""
        await asyncio.gather(*(self._finish_at(host) for host in self.hosts))

    async def _finish_at(self, host: str) -> None:
        for person in self.people:
            status, _ = await self._call("last use", host, (person.email, person.key), "GET users/me")
            assert status == OK, f"{person.email} cannot use their key at {host} in the end: {status}"
        for email, key in self.ended:
            await self._call("last probe", host, (email, key), "GET users/me")

    async def status_of(self, host: str, person: Person, key: str) -> int:
        """A host's answer to a key. 0 means no answer."""
        status, _ = await self._call("use", host, (person.email, key), "GET users/me")
        return status

    async def regenerate_at(self, host: str, person: Person) -> bool:
        """Replace a person's key at a host, within a minute. Returns whether it was acknowledged."""
        for _ in range(30):
            if await self._regenerate(person, host):
                return True
            await asyncio.sleep(2)
        return False

    async def _found(self, email: str) -> Person:
        person = Person(0, email, "")
        await self._learn_key(person)
        status, answer = await self._call("use", self._any(), (email, person.key), "GET users/me")
        assert status == OK, answer
        person.id = answer["user_id"]
        return person

    @property
    def _owner(self) -> tuple[str, str]:
        return OWNER_EMAIL, self.owner_key

    def _any(self) -> str:
        return random.choice(list(self.hosts))

    async def _call(
        self,
        what: str,
        host: str,
        who: tuple[str, str],
        request: str,
        fields: Mapping[str, str] | None = None,
        *,
        ends: str = "",
    ) -> tuple[int, dict[str, Any]]:
        """One call, as it is written into the history. `ends` is the key that a success ends."""
        method, path = request.split()
        began = time.monotonic()
        try:
            response = await self._clients[host].request(method, f"/api/v1/{path}", data=dict(fields or {}), auth=who)
            status, answer = response.status_code, response.json() if response.status_code == OK else {}
        except (httpx2.HTTPError, ValueError):
            status, answer = 0, {}
        self.history.calls.append(Call(what, host, ends or who[1], began, time.monotonic(), status, bool(ends)))
        return status, answer

    async def _fetch_key(self, email: str, password: str) -> str:
        """The key of an account, by its password, as soon as any host returns it."""
        for _ in range(600):
            try:
                response = await self._clients[self._any()].post(
                    "/api/v1/fetch_api_key", data={"username": email, "password": password}
                )
            except httpx2.HTTPError:
                response = None
            if response is not None and response.status_code == OK:
                key: str = response.json()["api_key"]
                return key
            await asyncio.sleep(0.2)
        raise AssertionError(f"no host returns the key of {email}")

    async def _learn_key(self, person: Person) -> None:
        key = await self._fetch_key(person.email, PASSWORD)
        if key != person.key:
            person.key = key
            self.history.good_since[key] = time.monotonic()

    async def _live(self, person: Person) -> None:
        ways: list[Callable[[Person], Awaitable[object]]] = [
            self._use, self._send, self._regenerate, self._deactivate,
        ]  # fmt: skip
        while not self._done.is_set():
            await random.choices(ways, [10, 10, 5, 1])[0](person)
            await asyncio.sleep(random.uniform(0, 0.05))

    async def _use(self, person: Person) -> None:
        status, _ = await self._call("use", self._any(), (person.email, person.key), "GET users/me")
        if status == 401:  # what nobody acknowledged has happened after all
            await self._learn_key(person)

    async def _send(self, person: Person) -> None:
        content = f"message {secrets.token_hex(8)}"
        fields = {"type": "direct", "to": f"[{person.id}]", "content": content}
        status, _ = await self._call("send", self._any(), (person.email, person.key), "POST messages", fields)
        if status == OK:
            self.history.messages.add(content)

    async def _regenerate(self, person: Person, host: str = "") -> bool:
        key = person.key
        request = "POST users/me/api_key/regenerate"
        status, answer = await self._call("regenerate", host or self._any(), (person.email, key), request, ends=key)
        if status == OK:
            person.key = answer["api_key"]
            self.history.good_since[person.key] = time.monotonic()
            self.ended.append((person.email, key))
        else:
            await self._learn_key(person)
        return status == OK

    async def _deactivate(self, person: Person) -> None:
        key = person.key
        request = f"DELETE users/{person.id}"
        status, _ = await self._call("deactivate", self._any(), self._owner, request, ends=key)
        if status == OK:
            self.ended.append((person.email, key))
            await asyncio.sleep(0.2)
        for _ in range(600):
            status, _ = await self._call("reactivate", self._any(), self._owner, f"POST users/{person.id}/reactivate")
            if status in (OK, 400):  # it is active already
                break
            await asyncio.sleep(0.2)
        await self._learn_key(person)

    async def _probe(self) -> None:
        while not self._done.is_set():
            for email, key in random.sample(self._newest_ended(), min(4, len(self._newest_ended()))):
                await self._call("probe", self._any(), (email, key), "GET users/me")
            await asyncio.sleep(0.01)

    def _newest_ended(self) -> Sequence[tuple[str, str]]:
        return self.ended[-NEWEST:]
