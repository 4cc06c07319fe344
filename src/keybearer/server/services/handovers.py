"""Hand-over links: who has one gets a named key of a bot, once, without the key going through a chat."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import DEFAULT_SCOPES, Grant
from keybearer.server.domain.links import Link, LinkPurpose
from keybearer.server.domain.permissions import may_manage_bot
from keybearer.server.services import named_keys
from keybearer.server.services.api_keys import IssuedKey
from keybearer.server.services.context import Context
from keybearer.server.services.links import make_link
from keybearer.server.services.lookups import the_bot, the_realm
from keybearer.server.storage import accounts, links


@dataclass(frozen=True, slots=True)
class HandOver:
    """A bot that is given on, and who made the link."""

    bot: Account
    maker: Account


async def create(context: Context, caller: Caller, bot_id: int) -> Secret:
    """The token of a link with which somebody gets a named key of a bot that the actor may manage.

    It is the bot's only one: one that was made earlier ends.
    """
    async with context.change(caller, holding=[bot_id]) as change:
        bot = await the_bot(change.connection, change.actor.account, bot_id)
        if not bot.is_active:
            raise Refused("A deactivated bot cannot be handed over.")
        change.actor.check_covers(Grant(DEFAULT_SCOPES))
        await links.remove_all(change.connection, LinkPurpose.HAND_OVER, account_id=bot.id)
        token = await make_link(change, LinkPurpose.HAND_OVER, bot.id)
        await change.record(AuditEvent.BOT_HAND_OVER_LINK_CREATED, bot)
        return token


async def find(context: Context, token: Secret) -> HandOver | None:
    """What a link gives on; None where it opens nothing. Nothing changes by looking."""
    async with context.reading() as connection:
        link = await links.find(connection, token, LinkPurpose.HAND_OVER, context.clock())
        return None if link is None else await _what_stands(connection, link)


async def _what_stands(connection: AsyncConnection, link: Link) -> HandOver | None:
    """The hand-over, if it counts at present: who made the link may still manage the bot, and both are active."""
    bot = None if link.account_id is None else await accounts.find(connection, link.account_id)
    maker = None if link.created_by is None else await accounts.find(connection, link.created_by)
    if bot is None or maker is None or not (bot.is_active and maker.is_active) or not may_manage_bot(maker, bot):
        return None
    return HandOver(bot, maker)


async def accept(context: Context, token: Secret, origin: RequestOrigin) -> IssuedKey | None:
    """Use a link up: a named key with the default scopes and end, created by who made the link.

    None where the link opens nothing. Raises CapReached where the bot has as many named keys as it may.
    """
    async with context.reading() as connection:
        found = await links.find(connection, token, LinkPurpose.HAND_OVER, context.clock())
    if found is None or found.account_id is None or found.created_by is None:
        return None
    async with context.change(
        None, origin=origin, holding=[found.account_id, found.created_by], for_change=True
    ) as change:
        link = await links.use(change.connection, token, LinkPurpose.HAND_OVER, change.now)
        standing = None if link is None else await _what_stands(change.connection, link)
        if standing is None:
            return None
        policy = (await the_realm(change.connection)).key_policy
        return await named_keys.issue(
            change.by(standing.maker),
            standing.bot,
            f"Handed over {change.now:%Y-%m-%d}",
            Grant(DEFAULT_SCOPES, policy.default_end(change.now)),
            created_with=None,
            because="hand-over",
        )
