"""An address with several hosts finds the host that accepts changes, even after a standby has been promoted."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from keybearer.errors import StorageError
from keybearer.server.storage.engine import Database
from keybearer.server.storage.schema import migrate
from keybearer.server.storage.tables import realms
from tests.cluster.postgresql import DATABASE, USER, Node, directories
from tests.storage.rows import add_realm


def free_port(address: str) -> int:
    with socket.create_server((address, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Pair:
    """A primary and its standby."""

    primary: Node
    standby: Node

    def url(self, *nodes: Node) -> str:
        """An address that names these hosts."""
        return f"postgresql://{USER}@{','.join(f'{each.address}:{each.port}' for each in nodes)}/{DATABASE}"


@pytest.fixture
def pair() -> Iterator[Pair]:
    with directories("primary", "standby") as (first, second):
        pair = Pair(
            Node(first, "127.0.0.11", free_port("127.0.0.11")), Node(second, "127.0.0.12", free_port("127.0.0.12"))
        )
        try:
            pair.primary.create("127.0.0.0/8")
            pair.primary.start()
            pair.primary.execute(f"CREATE DATABASE {DATABASE}")
            pair.standby.create_standby(pair.primary)
            pair.standby.start()
            yield pair
        finally:
            pair.primary.kill()
            pair.standby.kill()


async def test_the_primary_is_found_at_any_place_of_the_address_and_after_a_promotion(pair: Pair) -> None:
    nobody = f"127.0.0.13:{free_port('127.0.0.13')}"
    url = pair.url(pair.standby, pair.primary).replace("@", f"@{nobody},")
    await migrate(url)
    database = await Database.open(url)
    try:
        await add_realm(database)
        lookup = database.lookup(select(realms.c.id, realms.c.name), realms.c.id)
        assert [row[1] for row in (await lookup.fetch([1])).rows] == ["Example"]
        with pytest.raises(StorageError, match="they are standbys, or read-only"):
            await Database.open(pair.url(pair.standby))
        pair.primary.kill()
        with pytest.raises(StorageError):
            await lookup.fetch([1])
        pair.standby.promote()
        assert [row[1] for row in (await lookup.fetch([1])).rows] == ["Example"]
        async with database.write() as connection:
            await connection.execute(realms.update().values(name="Promoted"))
        async with database.read() as connection:
            assert (await connection.execute(select(realms.c.name))).scalar_one() == "Promoted"
    finally:
        await database.close()
