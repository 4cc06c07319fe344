"""What bots have in addition to their account: an outgoing webhook's service and its sealed token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.secret import Secret
from keybearer.server.domain.bots import BotService, RevealedService, ServiceInterface
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import among_given
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.secret_ring import Sealed, SecretRing
from keybearer.server.storage.tables import bot_services


def bound_to(account_id: int) -> bytes:
    """What a sealed token is bound to. In another row it does not open."""
    return b"bot_services:%d" % account_id


async def add_service(connection: AsyncConnection, ring: SecretRing, service: BotService, token: Secret) -> None:
    """Give an outgoing webhook bot its service."""
    sealed = ring.seal(token, bound_to(service.account_id))
    await connection.execute(
        insert(bot_services).values(
            account_id=service.account_id,
            name=service.name,
            base_url=service.base_url,
            interface=service.interface.value,
            secret_id=sealed.secret_id,
            sealed_token=sealed.box,
        )
    )


_SERVICES = Prepared(select(bot_services).where(among_given(bot_services.c.account_id, "account_ids")))


def _from_columns(columns: Mapping[str, Any]) -> BotService:
    return BotService(
        columns["account_id"], columns["name"], columns["base_url"], ServiceInterface(columns["interface"])
    )


async def _find(connection: AsyncConnection, account_ids: Iterable[int]) -> Sequence[Mapping[str, Any]]:
    return await _SERVICES.records(connection, account_ids=sorted(set(account_ids)))


async def find_services(connection: AsyncConnection, account_ids: Iterable[int]) -> dict[int, BotService]:
    """The services of several bots, by account. Bots of other types have none."""
    return {service.account_id: service for service in map(_from_columns, await _find(connection, account_ids))}


async def reveal_services(
    connection: AsyncConnection, ring: SecretRing, account_ids: Iterable[int]
) -> dict[int, RevealedService]:
    """The services of several bots with their tokens, by account. Bots of other types have none."""

    def reveal(columns: Mapping[str, Any]) -> RevealedService:
        sealed, bound = Sealed(columns["secret_id"], columns["sealed_token"]), bound_to(columns["account_id"])
        return RevealedService(_from_columns(columns), ring.unseal(sealed, bound))

    return {each.service.account_id: each for each in await paced(reveal, await _find(connection, account_ids))}


async def reveal_token(connection: AsyncConnection, ring: SecretRing, account_id: int) -> Secret | None:
    """The token of an outgoing webhook bot, opened; None for other bots."""
    revealed = (await reveal_services(connection, ring, [account_id])).get(account_id)
    return None if revealed is None else revealed.token


async def save_service(connection: AsyncConnection, service: BotService) -> None:
    """Write the fields of a service that can change. The token stays the same."""
    await connection.execute(
        update(bot_services)
        .where(bot_services.c.account_id == service.account_id)
        .values(name=service.name, base_url=service.base_url, interface=service.interface.value)
    )
