"""Incoming webhooks: a service's report becomes a message of its bot."""

from __future__ import annotations

from keybearer.server.domain.actors import Caller
from keybearer.server.services.context import Context
from keybearer.server.services.messaging import sending
from keybearer.server.services.messaging.sending import Draft, ToChannel, ToPeople

_LARGEST_ID = 2**31 - 1


async def post(context: Context, caller: Caller, content: str, *, channel: str | None, topic: str) -> int:
    """Send a report to a channel, by its name or id, or to the bot's owner if none is given. Returns its id.

    Raises Refused as for any other message of the bot.
    """
    to: ToChannel | ToPeople
    if channel is None:
        to = ToPeople((caller.account.bot_owner_id or 0,))
    else:
        is_id = channel.isascii() and channel.isdecimal() and len(channel) <= 10 and int(channel) <= _LARGEST_ID
        to = ToChannel(int(channel) if is_id else channel, topic)
    return await sending.send(context, caller, Draft(to, content))
