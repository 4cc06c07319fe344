"""Verifying API keys, the hottest path of the program: no cache, but one query for the requests that come together."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, final

from sqlalchemy import select

from keybearer import api_key as api_key_format
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, BotOwner, EmailVisibility, Role
from keybearer.server.domain.api_keys import VerifiedKey
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.realms import Realm, SystemGroup
from keybearer.server.storage.engine import Database
from keybearer.server.storage.messaging.newest_messages import newest_message_id
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.shared_query import SharedQuery
from keybearer.server.storage.tables import accounts, api_keys, from_microseconds, realms

_OWNERS = accounts.alias("owners")
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
    _OWNERS.c.role,
    _OWNERS.c.is_active,
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
_BOT_TYPES = {bot_type.value: bot_type for bot_type in BotType}
_EMAIL_VISIBILITIES = {visibility.value: visibility for visibility in EmailVisibility}

_SOURCE = (
    api_keys.join(accounts, accounts.c.id == api_keys.c.account_id)
    .join(realms, realms.c.id == accounts.c.realm_id)
    .outerjoin(_OWNERS, _OWNERS.c.id == accounts.c.bot_owner_id)
)


@final
class KeyVerifier:
    """Looks up the account of a key in the database for every request; requests that come together share a query."""

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
        rows = await self._lookup.fetch(list(chain.from_iterable(digests)))
        found = {row[0]: _verified(row) for row in rows}
        return [_first(found, several) for several in digests]


async def _nobodys() -> None:
    return None


def _first(found: Mapping[bytes, VerifiedKey], digests: Iterable[bytes]) -> VerifiedKey | None:
    for digest in digests:
        verified = found.get(digest)
        if verified is not None:
            return verified
    return None


def _verified(row: Sequence[Any]) -> VerifiedKey:
    _, key_id, revoked_at, expires_at, *of_account_and_realm, newest = row
    return VerifiedKey(
        key_id,
        revoked_at is not None,
        None if expires_at is None else from_microseconds(expires_at),
        _account(*of_account_and_realm[:15]),
        _realm(of_account_and_realm[1], *of_account_and_realm[15:]),
        newest,
    )


def _account(  # noqa: PLR0917  the columns in their order
    account_id: int,
    realm_id: int,
    delivery_email: str,
    full_name: str,
    role: int,
    date_joined: int,
    is_active: int,
    bot_type: int | None,
    bot_owner_id: int | None,
    timezone: str,
    avatar_version: int,
    email_visibility: int,
    login_mails: int,
    owner_role: int | None,
    owner_is_active: int | None,
) -> Account:
    return Account(
        account_id,
        realm_id,
        delivery_email,
        full_name,
        _ROLES[role],
        from_microseconds(date_joined),
        bool(is_active),
        None if bot_type is None else _BOT_TYPES[bot_type],
        bot_owner_id,
        timezone,
        avatar_version,
        _EMAIL_VISIBILITIES[email_visibility],
        bool(login_mails),
        None if owner_role is None else BotOwner(_ROLES[owner_role], bool(owner_is_active)),
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
