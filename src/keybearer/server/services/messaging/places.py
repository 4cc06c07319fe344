"""Places where an account can read and write, for a page that lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
NAMES_SHOWN = 5
"""People of a conversation whose names a page shows. Of the others it shows the number, unless it is only one."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation of the reader. `others` are the ids of its other people, or the reader's own if there are none."""

    id: int
    others: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """Those channels, topics and conversations that an account can read and that fit on a page.

    `channels` holds the channels that it follows, then the others that it sees, each by name; `unlisted` is how many
    more there are. `topics` are those of `channel`, the requested one. Topics and conversations have the newest first.
    `people` are all whose names are shown.
    """

    channels: Sequence[Channel]
    unlisted: int
    channel: Channel | None
    topics: Sequence[str]
    conversations: Sequence[Conversation]
    people: Mapping[int, Account]


async def find(
    context: Context, caller: Caller, *, channel_id: int | None = None, people_ids: Sequence[int] = ()
) -> Places:
    """The places of the actor, with a channel, and with the first of these people."""
    async with context.viewing(caller) as view:
        connection, account = view.connection, view.actor.account
        shown = await channel_pages.find_first(connection, account, limit=MOST_CHANNELS)
        count = len(shown) if len(shown) < MOST_CHANNELS else await channel_pages.count(connection, account)
        channel = None if channel_id is None else await channels.find_seen(connection, account, channel_id)
        names = () if channel is None else await topics.find_all(connection, channel.id, limit=MOST_TOPICS)
        found = await conversations.find_newest(connection, account.id, limit=MOST_CONVERSATIONS)
        listed = [conversation_of(number, members, account.id) for number, members in found]
        named = (*shown_by_name(people_ids), *(each for one in listed for each in shown_by_name(one.others)))
        people = await accounts.find_by_ids(connection, set(named))
    return Places(shown, count - len(shown), channel, [topic for topic, _ in names], listed, people)


def shown_by_name(people_ids: Sequence[int]) -> Sequence[int]:
    """Those of several people whose names a page shows."""
    return people_ids if len(people_ids) <= NAMES_SHOWN + 1 else people_ids[:NAMES_SHOWN]


def conversation_of(conversation_id: int, members: Sequence[int], reader_id: int) -> Conversation:
    """A conversation as one of its people has it."""
    return Conversation(conversation_id, tuple(each for each in members if each != reader_id) or (reader_id,))


async def find_conversation(context: Context, caller: Caller, conversation_id: int) -> Conversation | None:
    """A conversation of the caller. None if there is none with this id, or if the caller is not one of its people."""
    async with context.viewing(caller) as view:
        members = await conversations.find_members(view.connection, view.actor.account.id, conversation_id)
    return None if members is None else conversation_of(conversation_id, members, caller.id)


async def find_channels(context: Context, caller: Caller, text: str, *, limit: int) -> Sequence[Channel]:
    """The channels with a text in the name, in the same order, up to a limit."""
    async with context.viewing(caller) as view:
        return await channel_pages.find_first(view.connection, view.actor.account, limit=limit, text=text)


async def find_channel(context: Context, caller: Caller, name: str) -> Channel | None:
    """The channel with a name, in any case. None if the caller sees no such channel, or if it is archived."""
    async with context.viewing(caller) as view:
        found = await channels.find_seen(view.connection, view.actor.account, name)
    return None if found is None or found.is_archived else found
