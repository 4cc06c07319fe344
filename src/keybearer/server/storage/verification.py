"""Verifies API keys, the hottest path of the program: no cache, but one query for requests that arrive together."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, final

from sqlalchemy import select

from keybearer import api_key as api_key_format
from keybearer.secret import Secret
from keybearer.server.domain.api_keys import VerifiedKey
from keybearer.server.domain.grants import Grant, Scope
from keybearer.server.domain.realms import Realm
from keybearer.server.storage import accounts as account_rows
from keybearer.server.storage import current_realm
from keybearer.server.storage.api_keys import split_networks
from keybearer.server.storage.engine import Database
from keybearer.server.storage.instants import from_microseconds
from keybearer.server.storage.messaging.newest_messages import newest_message_id
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.shared_query import SharedQuery
from keybearer.server.storage.tables import accounts, api_keys

_OWNERS = accounts.alias("owners")
_COLUMNS = (
    api_keys.c.digest,
    api_keys.c.id,
    api_keys.c.revoked_at,
    api_keys.c.expires_at,
    api_keys.c.is_account_key,
    api_keys.c.scopes,
    api_keys.c.networks,
    *account_rows.COLUMNS[: -len(account_rows.OWNER_COLUMNS)],
    _OWNERS.c.role,
    _OWNERS.c.is_active,
    newest_message_id(accounts.c.id),
)
_JOINED = [column.name for column in account_rows.COLUMNS].index("date_joined")

_SOURCE = api_keys.join(accounts, accounts.c.id == api_keys.c.account_id).outerjoin(
    _OWNERS, _OWNERS.c.id == accounts.c.bot_owner_id
)
# SQLite would prefer the index of the digests alone, because a digest is unique.
_KEYS = select(*_COLUMNS).select_from(_SOURCE).with_hint(api_keys, "INDEXED BY ix_api_keys_lookup", "sqlite")


@final
class KeyVerifier:
    """Looks up the account of a key in the database for every request. Requests that arrive together share a query."""

    def __init__(self, database: Database, ring: SecretRing) -> None:
        self._ring = ring
        # Realms are fetched beside the keys: hundreds of rows have the same realm, and each would repeat all of it.
        self._lookup = database.lookup(_KEYS, api_keys.c.digest, current_realm.ALL)
        self._shared: SharedQuery[str, VerifiedKey | None] = SharedQuery(self._find)

    def verify(self, key: Secret | str) -> Awaitable[VerifiedKey | None]:
        """What is known about the key, live or revoked, to be awaited. None if it was never issued.

        Raises StorageError if the database cannot answer. A text without a valid checksum costs no query.
        """
        text = key if isinstance(key, str) else key.reveal()
        return self._shared.answer(text) if api_key_format.is_ours(text) else _no_key()

    async def _find(self, keys: Sequence[str]) -> Sequence[VerifiedKey | None]:
        known = self._ring.ids
        found = await self._look_up(keys)
        if None in found and (self._ring.refresh() or self._ring.ids != known):
            # The ring was rotated in the meantime: a key may be stored under a digest that the old ring could not know.
            return await self._look_up(keys)
        return found

    async def _look_up(self, keys: Sequence[str]) -> Sequence[VerifiedKey | None]:
        digests = [self._ring.digests(key) for key in keys]
        rows, realm_columns = await self._lookup.fetch(list(chain.from_iterable(digests)))
        known = {columns[0]: current_realm.realm_of(*columns) for columns in realm_columns}
        found = {row[0]: _verified(row, known) for row in rows}
        return [_newest_found(found, several) for several in digests]


async def _no_key() -> None:
    return None


def _newest_found(found: Mapping[bytes, VerifiedKey], digests: Iterable[bytes]) -> VerifiedKey | None:
    is_under_old_secret = False
    for digest in digests:
        verified = found.get(digest)
        if verified is not None:
            return verified._replace(is_under_old_secret=True) if is_under_old_secret else verified
        is_under_old_secret = True
    return None


def _verified(row: Sequence[Any], known: Mapping[int, Realm]) -> VerifiedKey:
    _, key_id, revoked_at, expires_at, is_account_key, scopes, networks, *columns, newest_message_id = row
    columns[_JOINED] = from_microseconds(columns[_JOINED])
    account = account_rows.from_columns(*columns)
    return VerifiedKey(
        key_id,
        revoked_at is not None,
        _grant(scopes, expires_at, networks),
        bool(is_account_key),
        account,
        known[account.realm_id],
        newest_message_id,
    )


@lru_cache(maxsize=1024)
def _grant(scopes: int, expires_at: int | None, networks: str) -> Grant:
    """The grant with these columns. Only the decoding is cached."""
    return Grant(Scope(scopes), None if expires_at is None else from_microseconds(expires_at), split_networks(networks))
