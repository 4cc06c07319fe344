"""Verifying API keys, the hottest path of the program: no cache, but one query for the requests that come together."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, final

from sqlalchemy import select

from keybearer import api_key as api_key_format
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, EmailVisibility, Role
from keybearer.server.domain.api_keys import VerifiedKey
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.realms import Realm, SystemGroup
from keybearer.server.storage.engine import Database
from keybearer.server.storage.newest_messages import newest_message_id
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.shared_query import SharedQuery
from keybearer.server.storage.tables import accounts, api_keys, from_microseconds, realms

_COLUMNS = (
    api_keys.c.digest,
    api_keys.c.id,
    api_keys.c.revoked_at,
    api_keys.c.expires_at,
    accounts.c.id,
    accounts.c.realm_id,
    accounts.c.delivery_email,
    accounts.c.full_name,
    accounts.c.role,
    accounts.c.date_joined,
    accounts.c.is_active,
    accounts.c.bot_type,
    accounts.c.bot_owner_id,
    accounts.c.timezone,
    accounts.c.avatar_version,
    accounts.c.email_visibility,
    accounts.c.login_mails,
    realms.c.name,
    realms.c.site,
    realms.c.created_at,
    realms.c.description,
    realms.c.is_active,
    realms.c.can_create_bots,
    realms.c.can_create_write_only_bots,
    realms.c.can_invite,
    newest_message_id(accounts.c.id),
)
_ROLES = {role.value: role for role in Role}
_EMAIL_VISIBILITIES = {visibility.value: visibility for visibility in EmailVisibility}

_SOURCE = api_keys.join(accounts, accounts.c.id == api_keys.c.account_id).join(realms)


@final
class KeyVerifier:
    """Finds whose key it is, in the database, at every request anew; requests that come together share a query."""

    def __init__(self, database: Database, ring: SecretRing) -> None:
        self._ring = ring
        self._lookup = database.lookup(select(*_COLUMNS).select_from(_SOURCE), api_keys.c.digest)
        self._shared: SharedQuery[str, VerifiedKey | None] = SharedQuery(self._find)

    def verify(self, key: Secret | str) -> Awaitable[VerifiedKey | None]:
        """What is known of the key, live or revoked, to be awaited; None where it was never issued.

        Raises StorageError where the database cannot tell. A text without our checksum costs no query.
        """
        text = key if isinstance(key, str) else key.reveal()
        return self._shared.answer(text) if api_key_format.is_ours(text) else _nobodys()

    async def _find(self, keys: Sequence[str]) -> Sequence[VerifiedKey | None]:
        known = self._ring.ids
        found = await self._look_up(keys)
        if None in found and (self._ring.refresh() or self._ring.ids != known):
            # The ring was rotated meanwhile: a key may lie under a digest that the old ring could not know.
            return await self._look_up(keys)
        return found

    async def _look_up(self, keys: Sequence[str]) -> Sequence[VerifiedKey | None]:
        digests = [self._ring.digests(key) for key in keys]
        rows = await self._lookup.fetch([digest for several in digests for digest in several])
        found = {row[0]: _verified(row) for row in rows}
        return [_first(found, several) for several in digests]


async def _nobodys() -> None:
    return None


def _first(found: Mapping[bytes, VerifiedKey], digests: Iterable[bytes]) -> VerifiedKey | None:
    for digest in digests:
        if digest in found:
            return found[digest]
    return None


def _verified(row: Sequence[Any]) -> VerifiedKey:
    expires_at = row[3]
    return VerifiedKey(
        row[1],
        row[2] is not None,
        None if expires_at is None else from_microseconds(expires_at),
        _account(row),
        _realm(row[5], *row[17:25]),
        row[25],
    )


def _account(row: Sequence[Any]) -> Account:
    bot_type = row[11]
    return Account(
        id=row[4],
        realm_id=row[5],
        delivery_email=row[6],
        full_name=row[7],
        role=_ROLES[row[8]],
        date_joined=from_microseconds(row[9]),
        is_active=bool(row[10]),
        bot_type=None if bot_type is None else BotType(bot_type),
        bot_owner_id=row[12],
        timezone=row[13],
        avatar_version=row[14],
        email_visibility=_EMAIL_VISIBILITIES[row[15]],
        login_mails=bool(row[16]),
    )


@lru_cache(maxsize=16)
def _realm(  # noqa: PLR0917  the columns in their order, as the cache wants them
    realm_id: int,
    name: str,
    site: str,
    created_at: int,
    description: str,
    is_active: int,
    can_create_bots: int,
    can_create_write_only_bots: int,
    can_invite: int,
) -> Realm:
    """The realm of these columns, all of which every query reads: what is remembered is the decoding of them."""
    return Realm(
        id=realm_id,
        name=name,
        site=site,
        created_at=from_microseconds(created_at),
        description=description,
        is_active=bool(is_active),
        can_create_bots=SystemGroup(can_create_bots),
        can_create_write_only_bots=SystemGroup(can_create_write_only_bots),
        can_invite=SystemGroup(can_invite),
    )
