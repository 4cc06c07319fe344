"""An installation with many accounts, each with a key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert

from keybearer import api_key
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.services import server_data
from keybearer.server.settings import Settings
from keybearer.server.storage import realms
from keybearer.server.storage.api_keys import bound_to
from keybearer.server.storage.tables import accounts, api_keys


@dataclass(frozen=True)
class Credential:
    """What one account authenticates with."""

    email: str
    key: str


async def populate(settings: Settings, count: int, *, site: str) -> list[Credential]:
    """Set an empty installation up with so many accounts."""
    await server_data.prepare(settings)
    now = datetime.now(UTC)
    credentials = [Credential(f"member{number}@example.com", api_key.generate().reveal()) for number in range(count)]
    async with server_data.opened(settings) as context, context.database.write() as connection:
        realm = await realms.add(connection, name="Benchmark", site=site, created_at=now)
        await connection.execute(
            insert(accounts),
            [
                {
                    "id": number,
                    "realm_id": realm.id,
                    "delivery_email": each.email,
                    "email_key": each.email,
                    "full_name": f"Member {number}",
                    "role": Role.MEMBER.value,
                    "date_joined": now,
                }
                for number, each in enumerate(credentials, 1)
            ],
        )
        rows = []
        for number, each in enumerate(credentials, 1):
            key = Secret(each.key)
            digest = context.ring.digest(key)
            sealed = context.ring.seal(key, bound_to(number, digest.value))
            row = {"account_id": number, "created_at": now, "digest": digest.value}
            rows.append({**row, "secret_id": sealed.secret_id, "sealed": sealed.box})
        await connection.execute(insert(api_keys), rows)
    return credentials
