"""A program for tests: replaces every key of a database and prints the new ones.

python regenerate_all.py DATABASE-URL SECRETS-FILE
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from keybearer import api_key
from keybearer.server.storage import api_keys, key_ends
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.tables import accounts


async def main(url: str, secrets_file: str) -> None:
    ring = SecretRing.load(Path(secrets_file))
    database = await Database.open(url)
    now = datetime.now(UTC)
    async with database.write() as connection:
        for account_id in (await connection.execute(select(accounts.c.id))).scalars().all():
            new = api_key.generate()
            await key_ends.revoke_all(connection, account_id, by=None, at=now)
            await api_keys.add(connection, ring, new, account_id=account_id, created_by=None, at=now)
            print(new.reveal())
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
