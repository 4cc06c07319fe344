"""Alert words as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.messaging.alert_words import first_token, tokens_in
from keybearer.server.domain.messaging.channels import name_key
from keybearer.server.storage.accounts import is_of_person
from keybearer.server.storage.dialect import among, among_given, occurs_in
from keybearer.server.storage.messaging.tables import alert_words
from keybearer.server.storage.prepared import Prepared

_OF_ACCOUNT = Prepared(
    select(alert_words.c.word).where(alert_words.c.account_id == bindparam("account_id")).order_by(alert_words.c.key)
)


async def find_all(connection: AsyncConnection, account_id: int) -> Sequence[str]:
    """An account's alert words in alphabetical order."""
    return await _OF_ACCOUNT.values(connection, account_id=account_id)


async def count_of_person(connection: AsyncConnection, person_id: int) -> int:
    """How many alert words a person and their bots have."""
    counted = select(func.count()).where(is_of_person(alert_words.c.account_id, person_id))
    return (await connection.execute(counted)).scalar_one()


_CANDIDATES = Prepared(
    select(alert_words.c.account_id, alert_words.c.word).where(
        among_given(alert_words.c.first_token, "tokens"), occurs_in(alert_words.c.key, "searched")
    )
)


async def find_candidates(connection: AsyncConnection, searched: str) -> Sequence[tuple[int, str]]:
    """The alert words that occur in a searchable text, perhaps as a part of a longer word, and whose they are."""
    rows = await _CANDIDATES.rows(connection, tokens=sorted(tokens_in(searched)), searched=searched)
    return [(account_id, word) for account_id, word in rows]


async def add(connection: AsyncConnection, account_id: int, words: Iterable[str]) -> None:
    """Add these alert words to an account. It must not have them yet, in any case."""
    rows = [
        {"account_id": account_id, "key": name_key(word), "word": word, "first_token": first_token(word)}
        for word in words
    ]
    if rows:
        await connection.execute(insert(alert_words), rows)


async def remove(connection: AsyncConnection, account_id: int, words: Iterable[str]) -> None:
    """Remove these alert words, in any case, from an account."""
    keys = {name_key(word) for word in words}
    await connection.execute(
        delete(alert_words).where(alert_words.c.account_id == account_id, among(alert_words.c.key, keys))
    )
