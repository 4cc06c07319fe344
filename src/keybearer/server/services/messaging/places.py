"""Places where an account can read and write, for a page that lists them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.messaging.channels import Channel
from keybearer.server.services.context import Context
from keybearer.server.storage import accounts
from keybearer.server.storage.messaging import channel_pages, channels, conversations, topics

MOST_CHANNELS = 200
MOST_TOPICS = 50
MOST_CONVERSATIONS = 20


@dataclass(frozen=True, slots=True)
class Places:
    """Those channels, topics and conversations that an account can read and that fit on a page.

    `channels` holds the channels that it follows, then the others that it sees, each by name; `unlisted` is how many
    more there are. `topics` are those of `channel`, the requested one. `conversations` holds the ids of their other
    people. Both have the newest first. `people` are all who are named.
    """

    channels: Sequence[Channel]
    unlisted: int
    channel: Channel | None
    topics: Sequence[str]
    conversations: Sequence[tuple[int, ...]]
    people: Mapping[int, Account]


async def find(
    context: Context, caller: Caller, *, channel_id: int | None = None, people_ids: Collection[int] = ()
) -> Places:
    """The places of the actor, with a channel, and with the names of people."""
    async with context.viewing(caller) as view:
        connection, account = view.connection, view.actor.account
        shown = await channel_pages.find_first(connection, account, limit=MOST_CHANNELS)
        count = len(shown) if len(shown) < MOST_CHANNELS else await channel_pages.count(connection, account)
        channel = None if channel_id is None else await channels.find_seen(connection, account, channel_id)
        names = () if channel is None else await topics.find_all(connection, channel.id, limit=MOST_TOPICS)
        found = await conversations.find_newest(connection, account.id, limit=MOST_CONVERSATIONS)
        others = [tuple(each for each in members if each != account.id) or (account.id,) for members in found]
        people = await accounts.find_by_ids(
            connection, {*people_ids, *(each for members in others for each in members)}
        )
    return Places(shown, count - len(shown), channel, [topic for topic, _ in names], others, people)


async def find_channels(context: Context, caller: Caller, text: str, *, limit: int) -> Sequence[Channel]:
    """The channels with a text in the name, in the same order, up to a limit."""
    async with context.viewing(caller) as view:
        return await channel_pages.find_first(view.connection, view.actor.account, limit=limit, text=text)


async def find_channel(context: Context, caller: Caller, name: str) -> Channel | None:
    """The channel with a name, in any case. None if the caller sees no such channel, or if it is archived."""
    async with context.viewing(caller) as view:
        found = await channels.find_seen(view.connection, view.actor.account, name)
    return None if found is None or found.is_archived else found
