"""One change can cause mails to thousands of people: to everybody whose key ended with another key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import update

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.mails import Mail
from keybearer.server.domain.named_keys import NewKey
from keybearer.server.services import named_keys
from keybearer.server.services.housekeeping import mail_about_ends
from keybearer.server.storage.tables import api_keys
from tests.in_process import InProcessServer
from tests.statements import counting
from tests.steps import most_steps_at_once

MOST_STEPS = 50_000
"""Calls of functions between two turns of other work: 500 mails, each sealed and compared with a few others."""


class _Address(str):
    """An address whose comparisons count as steps."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other)


async def _send(server: InProcessServer, mails: Sequence[Mail]) -> None:
    async with server.context.change(None) as change:
        await change.send(*mails)


async def test_mails_to_thousands_give_other_work_turns(server: InProcessServer) -> None:
    mails = [Mail(_Address(f"person{number}@example.com"), "subject", "text") for number in range(2000)]
    _, most = await most_steps_at_once(_send(server, mails))
    assert most < MOST_STEPS
    assert len(await server.mails()) == 1000  # as many as `mails` reads


async def test_many_mails_of_one_transaction_to_one_recipient_are_capped(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    mails = [Mail("hamlet@example.com", f"subject {number}", "text") for number in range(Cap.MAILS_TO_ONE.most + 5)]
    await _send(server, [*mails, Mail("ophelia@example.com", "subject", "text")])
    assert len(await server.mails()) == Cap.MAILS_TO_ONE.most + 1
    assert caplog.text.count("a mail was not sent") == 1


async def test_the_mails_about_the_ends_of_many_keys_take_as_many_statements_as_those_of_one(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    taken = []
    for count in (1, 10):
        for number in range(count):
            person = await server.add_person(f"person{count}x{number}")
            key = NewKey("key", end=timedelta(days=30))
            issued = await named_keys.create(server.context, Caller(person.account), key)
            async with server.context.change(None) as change:
                soon = update(api_keys).where(api_keys.c.id == issued.record.id)
                await change.connection.execute(soon.values(expires_at=change.now + timedelta(days=3)))
        with counting() as statements:
            await mail_about_ends(server.context)
        taken.append(len(statements))
    assert taken[0] == taken[1]
    assert len([mail for mail in await server.mails() if mail.subject == "An API key ends soon"]) == 11
