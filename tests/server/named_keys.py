"""Named keys in tests: issued over the wire, and used."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx2
from sqlalchemy import update

from keybearer.server.domain.api_keys import KeyUse
from keybearer.server.storage import api_keys as rows
from keybearer.server.storage.tables import api_keys
from tests.in_process import InProcessServer, Known

OWN = "/api/v1/users/me/api_keys"
CURRENT = f"{OWN}/current"
POSSESSION = "/api/v1/api_keys/revoke_by_possession"
ALL = ["read", "send", "manage", "keys"]


@dataclass(frozen=True)
class NamedKey:
    """A named key as it was shown, once."""

    id: int
    email: str
    api_key: str

    @property
    def auth(self) -> tuple[str, str]:
        """The pair for HTTP Basic."""
        return self.email, self.api_key


def form(**fields: Any) -> dict[str, str]:
    """A form in which lists, numbers and null are JSON, but texts are not."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}


async def issue(
    server: InProcessServer, auth: tuple[str, str], *, bot: Known | None = None, name: str = "script", **fields: Any
) -> httpx2.Response:
    """Request a named key for the caller or for a bot."""
    path = OWN if bot is None else f"/api/v1/bots/{bot.id}/api_keys"
    return await server.client().post(path, auth=auth, data=form(name=name, **fields))


async def issued(
    server: InProcessServer, auth: tuple[str, str], *, bot: Known | None = None, name: str = "script", **fields: Any
) -> NamedKey:
    """A new named key."""
    answer = await issue(server, auth, bot=bot, name=name, **fields)
    assert answer.status_code == 200, answer.text
    return NamedKey(answer.json()["id"], auth[0] if bot is None else bot.email, answer.json()["api_key"])


async def entries(server: InProcessServer, auth: tuple[str, str], path: str = OWN) -> list[dict[str, Any]]:
    """The keys in a list."""
    answer = await server.client().get(path, auth=auth)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["api_keys"]
    return found


async def post(server: InProcessServer, path: str, auth: tuple[str, str], **fields: Any) -> httpx2.Response:
    """Post a form."""
    return await server.client().post(path, auth=auth, data=form(**fields))


def status_and_code(answer: httpx2.Response) -> tuple[int, str]:
    """The status and the code of an answer."""
    return answer.status_code, answer.json().get("code", "")


async def is_accepted(server: InProcessServer, key: NamedKey | Known) -> bool:
    """Whether the key is accepted."""
    answer = await server.client().get(CURRENT, auth=key.auth)
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


async def end_at(server: InProcessServer, key_id: int, at: datetime | None) -> None:
    """Let a key end at that time, as if it had been issued like that."""
    async with server.context.change(None) as change:
        await change.connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(expires_at=at))


async def expire(server: InProcessServer, key_id: int) -> None:
    """Let a key expire now."""
    await end_at(server, key_id, server.context.clock() - timedelta(seconds=1))


async def late_use(server: InProcessServer, key_id: int) -> KeyUse:
    """The use of an ended key, as soon as it is written next to the request."""
    for _ in range(200):
        async with server.context.reading() as connection:
            record = await rows.find(connection, key_id)
        assert record is not None
        if record.late_use is not None:
            return record.late_use
        await asyncio.sleep(0.01)
    raise AssertionError(f"nobody wrote that key {key_id} was used late")
