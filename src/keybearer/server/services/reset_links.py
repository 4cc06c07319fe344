"""Links for a new password that an administrator creates if no mail can bring one."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.links import Link, LinkPurpose
from keybearer.server.domain.permissions import check_may_make_reset_link, may_make_reset_link
from keybearer.server.services.context import Context
from keybearer.server.services.links import make_link
from keybearer.server.services.lookups import the_account
from keybearer.server.storage import accounts, links

LIFETIME = timedelta(hours=1)


async def create(context: Context, caller: Caller, account_id: int) -> Secret:
    """The token of a link with which somebody with a lower role than the caller's chooses a new password.

    Raises Refused if the server sends mail: then people request a link themselves. Raises NotPermitted.
    """
    if context.settings.smtp_url is not None:
        raise Refused("This server sends mail: people can ask for a link themselves, on the sign-in page.")
    async with context.change(caller, holding=[account_id]) as change:
        account = await the_account(change.connection, change.actor.account, account_id)
        check_may_make_reset_link(change.actor.account, account)
        token = await make_link(change, LinkPurpose.PASSWORD_RESET, account.id, lifetime=LIFETIME)
        await change.record(AuditEvent.PASSWORD_RESET_LINK_CREATED, account)
        return token


async def find(connection: AsyncConnection, token: Secret, now: datetime) -> tuple[Link, Account] | None:
    """A link for a new password, and whose it is. None if it opens nothing."""
    link = await links.find(connection, token, LinkPurpose.PASSWORD_RESET, now)
    account = None if link is None or link.account_id is None else await accounts.find(connection, link.account_id)
    if link is None or account is None or not await is_valid(connection, link, account):
        return None
    return link, account


async def is_valid(connection: AsyncConnection, link: Link, account: Account) -> bool:
    """Whether a link is valid: its creator, if it has one, is still permitted to create it, and the account is
    active.
    """
    if link.created_by is None:
        return account.is_active
    maker = await accounts.find(connection, link.created_by)
    return maker is not None and maker.is_active and may_make_reset_link(maker, account)
