"""Unsent mails, as administrators see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account, email_key
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.mails import MailHead
from keybearer.server.domain.visibility import shown_email
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_realm
from keybearer.server.storage import accounts, links, mails

MOST_SHOWN = 200


async def find_unsent(context: Context, caller: Caller) -> Sequence[MailHead]:
    """The newest mails that wait or were given up, for callers whose rule allows it.

    A recipient whose address the caller may not see has their dummy address.
    """
    async with context.viewing(caller) as view:
        heads = await mails.find_heads(view.connection, limit=MOST_SHOWN)
        viewer, domain = view.actor.account, (await the_realm(view.connection)).bot_domain
        people = await _people(view.connection, viewer.realm_id, [head.recipient for head in heads])
        shown = {address: shown_email(viewer, person, domain) for address, person in people.items()}
        return [
            replace(head, recipient=shown[email_key(head.recipient)]) if email_key(head.recipient) in shown else head
            for head in heads
        ]


async def _people(connection: AsyncConnection, realm_id: int, addresses: Sequence[str]) -> dict[str, Account]:
    """Whose these addresses are, by `email_key`: their email, or an earlier or later one for which they have a link."""
    by_link = await links.find_accounts_of(connection, addresses)
    linked = await accounts.find_by_ids(connection, by_link.values())
    found = {address: linked[account_id] for address, account_id in by_link.items() if account_id in linked}
    return found | await accounts.find_by_emails(connection, realm_id, addresses)
