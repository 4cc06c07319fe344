"""Hand-over links: the holder of a link gets a named key of a bot, once, so that no key is sent through a chat."""

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
    """A bot to hand over, and who created the link."""

    bot: Account
    maker: Account


async def create(context: Context, caller: Caller, bot_id: int) -> Secret:
    """The token of a link with which somebody gets a named key of a bot that the actor may manage.

    A bot has only one such link: an earlier one stops working.
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
    """The bot that a link hands over. None if it opens nothing. Looking changes nothing."""
    async with context.reading() as connection:
        link = await links.find(connection, token, LinkPurpose.HAND_OVER, context.clock())
        return None if link is None else await _valid_handover(connection, link)


async def _valid_handover(connection: AsyncConnection, link: Link) -> HandOver | None:
    """The hand-over, if it is currently valid: the creator of the link may still manage the bot, and both are
    active.
    """
    bot = None if link.account_id is None else await accounts.find(connection, link.account_id)
    maker = None if link.created_by is None else await accounts.find(connection, link.created_by)
    if bot is None or maker is None or not (bot.is_active and maker.is_active) or not may_manage_bot(maker, bot):
        return None
    return HandOver(bot, maker)


async def accept(context: Context, token: Secret, origin: RequestOrigin) -> IssuedKey | None:
    """Use up a link: create a named key with the default scopes and end, in the name of the link's creator.

    None if the link opens nothing. Raises CapReached if the bot already has as many named keys as it may have.
    """
    async with context.reading() as connection:
        found = await links.find(connection, token, LinkPurpose.HAND_OVER, context.clock())
    if found is None or found.account_id is None or found.created_by is None:
        return None
    async with context.change(
        None, origin=origin, holding=[found.account_id, found.created_by], for_change=True
    ) as change:
        link = await links.use(change.connection, token, LinkPurpose.HAND_OVER, change.now)
        handover = None if link is None else await _valid_handover(change.connection, link)
        if handover is None:
            return None
        policy = (await the_realm(change.connection)).key_policy
        return await named_keys.issue(
            change.by(handover.maker),
            handover.bot,
            f"Handed over {change.now:%Y-%m-%d}",
            Grant(DEFAULT_SCOPES, policy.default_end(change.now)),
            created_with=None,
            because="hand-over",
        )
