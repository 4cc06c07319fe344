"""Whom a new message concerns. One statement finds everything, because every message that is sent asks this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Integer, String, bindparam, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.messaging.alert_words import tokens_in
from keybearer.server.storage.dialect import among_given, occurs_in
from keybearer.server.storage.messaging.tables import alert_words, muted_users, subscriptions
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import accounts, realms

_NO_WORD = literal_column("''", String)
_FOLLOWS, _HAS_WORD, _MUTES, _IS_REALM = range(4)


@dataclass(frozen=True, slots=True)
class Concerned:
    """The accounts that a new message concerns: active ones that follow its channel, those that have an alert word that
    occurs in its text, perhaps as a part of a longer word, and those that muted its sender. `site` is that of the
    organization.
    """

    subscribers: frozenset[int]
    alert_words: Sequence[tuple[int, str]]
    muting: frozenset[int]
    site: str


_CONCERNED = Prepared(
    union_all(
        select(literal_column(str(_FOLLOWS), Integer), subscriptions.c.account_id, _NO_WORD)
        .join(accounts, accounts.c.id == subscriptions.c.account_id)
        .where(subscriptions.c.channel_id == bindparam("channel_id"), accounts.c.is_active),
        select(literal_column(str(_HAS_WORD), Integer), alert_words.c.account_id, alert_words.c.word).where(
            among_given(alert_words.c.first_token, "tokens"), occurs_in(alert_words.c.key, "searched")
        ),
        select(literal_column(str(_MUTES), Integer), muted_users.c.account_id, _NO_WORD).where(
            muted_users.c.muted_id == bindparam("sender_id")
        ),
        select(literal_column(str(_IS_REALM), Integer), realms.c.id, realms.c.site),
    )
)


async def find_concerned(
    connection: AsyncConnection, *, channel_id: int | None, searched: str, sender_id: int
) -> Concerned:
    """Whom a message concerns that is sent to a channel (None: to people) and has this searchable text."""
    tokens = sorted(tokens_in(searched))
    rows = await _CONCERNED.rows(
        connection, channel_id=channel_id or 0, tokens=tokens, searched=searched, sender_id=sender_id
    )
    return Concerned(
        frozenset(account_id for kind, account_id, _ in rows if kind == _FOLLOWS),
        [(account_id, word) for kind, account_id, word in rows if kind == _HAS_WORD],
        frozenset(account_id for kind, account_id, _ in rows if kind == _MUTES),
        next(site for kind, _, site in rows if kind == _IS_REALM),
    )
