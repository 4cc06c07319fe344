"""Alert words are looked up by what occurs in a text, however many there are."""

from __future__ import annotations

from keybearer.server.domain.messaging.alert_words import searchable
from keybearer.server.storage.engine import Database
from keybearer.server.storage.messaging import alert_words
from keybearer.server.storage.messaging.recipients import find_concerned
from keybearer.server.storage.secret_ring import SecretRing
from tests.storage.rows import add_holder


async def test_only_words_that_occur_in_a_message_are_found(database: Database, ring: SecretRing) -> None:
    account_id = (await add_holder(database, ring)).account.id
    words = ["The Cat", "the ca", "the cats", *(f"the {number}" for number in range(100)), "!!"]
    async with database.write() as connection:
        await alert_words.add(connection, account_id, words)
    searched = searchable("THE cat sat there, at 7 !!")
    expected = {(account_id, "The Cat"), (account_id, "the ca"), (account_id, "!!")}
    async with database.read() as connection:
        found = await alert_words.find_candidates(connection, searched)
        concerned = await find_concerned(connection, channel_id=None, searched=searched, sender_id=account_id)
    assert set(found) == set(concerned.alert_words) == expected
