"""Places where an account can read and write, for a page that lists them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.messaging.channels import Channel
from keybearer.server.services.context import Context
from keybearer.server.storage import accounts
from keybearer.server.storage.messaging import channels, conversations

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
        followed = await channels.find_subscriptions(connection, account.id)
        seen = await channels.find_all_seen(connection, account)
        channel = next((each for each in seen if each.id == channel_id), None)
        listed = sorted(
            (each for each in seen if not each.is_archived),
            key=lambda each: (each.id not in followed, each.name.casefold()),
        )
        topics = () if channel is None else await channels.find_topics(connection, channel.id, limit=MOST_TOPICS)
        found = await conversations.find_newest(connection, account.id, limit=MOST_CONVERSATIONS)
        others = [tuple(each for each in members if each != account.id) or (account.id,) for members in found]
        people = await accounts.find_by_ids(
            connection, {*people_ids, *(each for members in others for each in members)}
        )
    shown = listed[:MOST_CHANNELS]
    return Places(shown, len(listed) - len(shown), channel, [topic for topic, _ in topics], others, people)
