"""Realms as rows. A Keybearer server holds one; the schema allows more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.key_policy import KeyPolicy
from keybearer.server.domain.realms import Realm, SystemGroup
from keybearer.server.storage.dialect import locked
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import realms


def from_row(row: Sequence[Any]) -> Realm:
    """The value of all columns of the table, in their order. Some drivers return 0 and 1 for false and true."""
    realm_id, name, site, description, is_active, bots, webhooks, invite, *policy, created_at = row
    longest, default, must_end = policy
    return Realm(
        realm_id,
        name,
        site,
        created_at,
        description,
        bool(is_active),
        SystemGroup(bots),
        SystemGroup(webhooks),
        SystemGroup(invite),
        KeyPolicy(longest, default, bool(must_end)),
    )


_ONLY = select(realms).order_by(realms.c.id).limit(1)
_FOUND = Prepared(_ONLY)
_HELD = Prepared(locked(_ONLY))


async def find(connection: AsyncConnection, *, for_change: bool = False) -> Realm | None:
    """The realm of this server, None before set-up. `for_change` locks its row until the transaction ends."""
    row = await (_HELD if for_change else _FOUND).row(connection)
    return None if row is None else from_row(row)


async def add(connection: AsyncConnection, *, name: str, site: str, created_at: datetime) -> Realm:
    """Create a realm with Zulip's default policies."""
    policies = Realm(0, name, site, created_at)
    row = await connection.execute(
        insert(realms)
        .values(
            name=name,
            site=site,
            created_at=created_at,
            can_create_bots=policies.can_create_bots.value,
            can_create_write_only_bots=policies.can_create_write_only_bots.value,
            can_invite=policies.can_invite.value,
        )
        .returning(realms)
    )
    return from_row(row.one())


async def save(connection: AsyncConnection, realm: Realm) -> None:
    """Write all fields of the realm that can change."""
    await connection.execute(
        update(realms)
        .where(realms.c.id == realm.id)
        .values(
            name=realm.name,
            site=realm.site,
            description=realm.description,
            is_active=realm.is_active,
            can_create_bots=realm.can_create_bots.value,
            can_create_write_only_bots=realm.can_create_write_only_bots.value,
            can_invite=realm.can_invite.value,
            longest_key_days=realm.key_policy.longest_days,
            default_key_days=realm.key_policy.default_days,
            keys_must_end=realm.key_policy.must_end,
        )
    )
