"""A program for tests: one process that writes to a database, told by its first argument how.

python writer.py hold DATABASE-URL              begin, write, say so, and never commit
python writer.py commit DATABASE-URL            write, commit, say so, and wait to be killed
python writer.py count DATABASE-URL TIMES       add one, so many times, to the number that the realm's name holds
python writer.py fill DATABASE-URL BYTES        try a row so large that no file may hold it, then a small one
"""

from __future__ import annotations

import asyncio
import resource
import sys

from sqlalchemy import insert, select, update

from keybearer.errors import StorageError
from keybearer.server.storage.dialect import locked
from keybearer.server.storage.engine import Database
from keybearer.server.storage.tables import mails, realms
from tests.storage.rows import NOON


async def hold(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(update(realms).values(name="not committed"))
        print("written", flush=True)
        await asyncio.sleep(600)


async def commit(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(update(realms).values(name="committed"))
    print("written", flush=True)
    await asyncio.sleep(600)


async def count(database: Database, times: str) -> None:
    for _ in range(int(times)):
        async with database.write() as connection:
            name = (await connection.execute(locked(select(realms)))).one().name
            await connection.execute(update(realms).values(name=str(int(name) + 1)))


async def fill(database: Database, size: str) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
    row = {"recipient": "a@example.com", "subject": "", "created_at": NOON, "next_attempt_at": NOON}
    try:
        async with database.write() as connection:
            await connection.execute(insert(mails).values(**row, body="x" * int(size)))
    except StorageError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    async with database.write() as connection:
        await connection.execute(insert(mails).values(**row, body="small"))


async def main(what: str, url: str, *arguments: str) -> None:
    database = await Database.open(url)
    match what:
        case "hold":
            await hold(database)
        case "commit":
            await commit(database)
        case "count":
            await count(database, *arguments)
        case "fill":
            await fill(database, *arguments)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
