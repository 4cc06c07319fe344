"""Alert words: an account's list of them, and who is alerted to a message."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import check_cap
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.messaging.alert_words import WordsIn, changed, cleaned, searchable
from keybearer.server.domain.messaging.channels import name_key
from keybearer.server.domain.pacing import paced
from keybearer.server.services.context import Context
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import alert_words


async def find_all(context: Context, caller: Caller) -> Sequence[str]:
    """The actor's alert words."""
    async with context.viewing(caller) as view:
        return await alert_words.find_all(view.connection, view.actor.id)


async def add(context: Context, caller: Caller, words: Sequence[str]) -> Sequence[str]:
    """Add alert words to the actor's list. Returns the whole list. Raises Refused if it would be too long."""
    return await _change(context, caller, added=cleaned(words))


async def remove(context: Context, caller: Caller, words: Sequence[str]) -> Sequence[str]:
    """Remove alert words from the actor's list. Returns the rest."""
    return await _change(context, caller, removed=cleaned(words))


async def _change(
    context: Context, caller: Caller, *, added: Sequence[str] = (), removed: Sequence[str] = ()
) -> Sequence[str]:
    async with context.change(caller) as change:
        connection, account_id = change.connection, change.actor.id
        await take_turn(connection, f"alert words:{account_id}")
        before = await alert_words.find_all(connection, account_id)
        known = {name_key(word) for word in before}
        await alert_words.add(connection, account_id, [word for word in added if name_key(word) not in known])
        await alert_words.remove(connection, account_id, removed)
        after = await alert_words.find_all(connection, account_id)
        check_cap(Cap.ALERT_WORDS, len(after))
        if len(after) > len(before):
            together = await alert_words.count_of_person(connection, change.actor.account.person_id)
            check_cap(Cap.ALERT_WORDS_OF_PERSON, together)
        if after != before:
            change.tell(changed(account_id, after))
        return after


async def find_alerted(connection: AsyncConnection, text: str) -> set[int]:
    """The accounts that have an alert word in a message's text."""
    searched = searchable(text)
    return await alerted(await alert_words.find_candidates(connection, searched), searched)


async def alerted(candidates: Sequence[tuple[int, str]], searched: str) -> set[int]:
    """Those of some accounts whose alert word is in a searchable text as a word by itself."""
    if not candidates:
        return set()
    keys = {word: name_key(word) for word in {word for _, word in candidates}}
    by_length = await paced(WordsIn(searched).of_length, {len(key) for key in keys.values()})
    found = set().union(*by_length)
    return {account_id for account_id, word in candidates if keys[word] in found}
