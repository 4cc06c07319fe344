"""Authority from rows: who acts, and with which key or session, read in the transaction that acts.

Every change of an account, its keys or its sessions first locks the account's row. So a transaction that holds the row
may read the keys and sessions without locks of their own. A transaction locks all its rows at once and in the order of
their ids, including the actor's row and those of bots' owners. So no two transactions ever wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.domain.sessions import IDLE_LIFETIME, Session
from keybearer.server.storage import accounts as account_rows
from keybearer.server.storage import api_keys, key_ends
from keybearer.server.storage import sessions as session_rows
from keybearer.server.storage.dialect import among_given, locked
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import accounts, api_key_uses, sessions
from keybearer.server.storage.tables import api_keys as key_rows


@dataclass(frozen=True, slots=True)
class Standing:
    """A caller at this moment. `key` and `session` are None if the caller did not use one, or if it has ended."""

    account: Account
    key: APIKeyRecord | None
    session: Session | None


_WITH_KEY = Prepared(
    select(*account_rows.COLUMNS, *api_keys.COLUMNS)
    .select_from(
        accounts.outerjoin(
            key_rows, (key_rows.c.id == bindparam("key_id")) & (key_rows.c.account_id == accounts.c.id)
        ).outerjoin(api_key_uses, api_key_uses.c.key_id == key_rows.c.id)
    )
    .where(accounts.c.id == bindparam("account_id"))
)
_KEY_NAMES = [column.name for column in api_keys.COLUMNS]


async def find_standing(connection: AsyncConnection, caller: Caller, now: datetime) -> Standing | None:
    """The caller's current standing; None if the account does not exist. A live key is neither revoked nor expired."""
    key_id, session_id = caller.key_id, caller.session_id
    account: Account | None = None
    key = session = None
    if key_id is None:
        account = await account_rows.find(connection, caller.id)
    else:
        row = await _WITH_KEY.row(connection, account_id=caller.id, key_id=key_id)
        if row is not None:
            account = account_rows.from_row(row)
            key = _live_key(row[len(account_rows.COLUMNS) :], now)
    if account is None:
        return None
    if session_id is not None:
        session = (
            await connection.execute(
                select(*session_rows.COLUMNS).where(
                    sessions.c.id == session_id,
                    sessions.c.account_id == caller.id,
                    sessions.c.expires_at > now,
                    sessions.c.last_seen_at > now - IDLE_LIFETIME,
                )
            )
        ).first()
    return Standing(account, key, None if session is None else session_rows.from_row(session))


def _live_key(row: Sequence[Any], now: datetime) -> APIKeyRecord | None:
    """The key with these columns. None if it has ended, or if there is none."""
    columns = dict(zip(_KEY_NAMES, row, strict=True))
    key = None if columns["id"] is None else api_keys.from_columns(columns)
    return None if key is None or not key.is_live or key.grant.has_ended(now) else key


_HOLDING = select(accounts.c.bot_owner_id).where(among_given(accounts.c.id, "ids")).order_by(accounts.c.id)
_HELD = Prepared(locked(_HOLDING))
_HELD_SHARED = Prepared(locked(_HOLDING, shared=True))


async def hold(
    connection: AsyncConnection,
    account_ids: Collection[int],
    *,
    for_change: bool,
    with_bots_of: int | None = None,
    ending_keys_of: int | None = None,
    with_keys_made_by: int | None = None,
) -> set[int]:
    """Lock the rows of these accounts until the transaction ends. Returns the ids that must be locked with them.

    These are the owners of the bots among them, the bots of `with_bots_of`, the holders of the keys that end together
    with those of `ending_keys_of`, and the holders of the keys that `with_keys_made_by` and others created for each
    other. If the result contains an id that was not passed in, not all rows are locked: the transaction must end, and
    another one must ask for all of them. `for_change` is for transactions that change an account, its keys or its
    sessions; other transactions only keep the rows from being changed. SQLite has nothing to lock, because its writers
    run one after another.
    """
    needed = set(account_ids)
    if connection.dialect.name != "postgresql":
        return needed
    owners = await (_HELD if for_change else _HELD_SHARED).values(connection, ids=sorted(needed))
    needed.update(owner_id for owner_id in owners if owner_id is not None)
    if with_bots_of is not None:
        owned = await connection.execute(select(accounts.c.id).where(accounts.c.bot_owner_id == with_bots_of))
        needed.update(row.id for row in owned)
    if ending_keys_of is not None:
        needed |= await key_ends.find_holders(connection, [ending_keys_of])
    if with_keys_made_by is not None:
        needed |= await key_ends.find_holders_of_made(connection, with_keys_made_by)
    return needed
