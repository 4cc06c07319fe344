"""Finds the channels, people and messages that a use case is about, and what those refer to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account, email_key
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.limits import MOST_REACTIONS
from keybearer.server.domain.messaging.channels import Channel, name_key
from keybearer.server.domain.messaging.messages import (
    Copy,
    Directory,
    Flag,
    Message,
    Reaction,
    invalid_messages,
    visible_edits,
)
from keybearer.server.domain.pacing import paced
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import find_addressed, the_realm
from keybearer.server.services.messaging.markdown import Names
from keybearer.server.services.messaging.zulip_syntax import named_channels, named_people
from keybearer.server.storage import accounts
from keybearer.server.storage.messaging import channels, messages, reactions

NOT_DELIVERED = Flag.READ | Flag.HISTORICAL
"""The flags that an account sees on a message that it may read but that was never sent to it."""


async def directory_of(
    connection: AsyncConnection, found: Iterable[Message], reacted: Iterable[Reaction] = ()
) -> Directory:
    """All accounts and channels that these messages and reactions name."""
    people = {reaction.account_id for reaction in reacted}
    named: set[int] = set()
    for message in found:
        people.update((message.sender_id, *message.recipient_ids))
        if message.channel_id is not None:
            named.add(message.channel_id)
    realm = await the_realm(connection)
    return Directory(
        accounts=await accounts.find_by_ids(connection, people),
        channel_names=await channels.find_names(connection, named),
        dummy_domain=realm.bot_domain,
    )


async def copies_of(connection: AsyncConnection, viewer: Account, found: Sequence[Message]) -> list[Copy]:
    """These messages, which the viewer may see, with the viewer's own flags. Raises Refused if one answer has no room
    for their reactions.
    """
    ids = [message.id for message in found]
    flags = await messages.find_flags(connection, viewer.id, ids)
    reacted = await reactions.find_all(connection, ids)
    if sum(map(len, reacted.values())) > MOST_REACTIONS:
        raise Refused("These messages have too many reactions for one answer. Ask for fewer of them.")
    shown = await with_visible_edits(connection, viewer, found)
    return [Copy(message, flags.get(message.id, NOT_DELIVERED), reacted.get(message.id, ())) for message in shown]


async def with_visible_edits(
    connection: AsyncConnection, viewer: Account, found: Sequence[Message]
) -> Sequence[Message]:
    """These messages with the earlier versions that the viewer may see. Versions from a hidden channel are left out."""
    if not any("prev_stream" in edit for message in found for edit in message.edits):
        return found
    seen = {channel.id for channel in await channels.find_all_seen(connection, viewer)}
    return [replace(message, edits=visible_edits(message.edits, seen)) for message in found]


async def visible_message(
    connection: AsyncConnection, viewer: Account, message_id: int, *, for_change: bool = False
) -> Message:
    """A message that the viewer may see. Raises Refused if there is none."""
    message = await messages.find_seen(connection, viewer, message_id, for_change=for_change)
    if message is None:
        raise invalid_messages()
    return message


async def changeable_message(
    connection: AsyncConnection, viewer: Account, message_id: int, *, for_change: bool = False
) -> Message:
    """The same, but a message in an archived channel is refused too, because nothing changes there any more, as in
    Zulip.
    """
    message = await visible_message(connection, viewer, message_id, for_change=for_change)
    if message.channel_id is not None:
        channel = (await channels.find_by_ids(connection, [message.channel_id]))[message.channel_id]
        if channel.is_archived:
            raise invalid_messages()
    return message


async def audience(connection: AsyncConnection, message: Message) -> dict[int, Sequence[str]]:
    """The accounts that get events about a message: those that have a copy, and those that follow its channel."""
    owners = await messages.find_owners(connection, message.id)
    told: dict[int, Sequence[str]] = dict(await paced(lambda each: (each[0], each[1].wire_names), owners.items()))
    if message.channel_id is not None:
        for account_id in await channels.find_active_subscribers(connection, message.channel_id):
            told.setdefault(account_id, NOT_DELIVERED.wire_names)
    return told


async def find_channel(connection: AsyncConnection, viewer: Account, channel: str | int) -> Channel:
    """The channel with a name or an id. Raises Refused with Zulip's words, the same for a channel that the viewer may
    not see as for one that does not exist.
    """
    found = await channels.find_seen(connection, viewer, channel)
    if found is not None:
        return found
    if isinstance(channel, int):
        message, extra = f"Channel with ID '{channel}' does not exist", {"stream_id": channel}
        raise Refused(message, code="STREAM_DOES_NOT_EXIST", extra=extra)
    raise Refused(f"Channel '{channel}' does not exist", code="STREAM_DOES_NOT_EXIST", extra={"stream": channel})


def _invalid_person(person: str | int) -> Refused:
    return Refused(f"Invalid user ID {person}" if isinstance(person, int) else f"Invalid email '{person}'")


async def find_people(
    connection: AsyncConnection,
    viewer: Account,
    people: Collection[str | int],
    *,
    refusal: Callable[[str | int], Refused] = _invalid_person,
) -> list[Account]:
    """The accounts with these addresses and ids, in their order.

    Raises a `refusal`, the same for an address that the viewer may not see as for one that nobody has.
    """
    ids, emails = [each for each in people if isinstance(each, int)], [each for each in people if isinstance(each, str)]
    by_id = await accounts.find_by_ids(connection, ids) if ids else {}
    addressed = await find_addressed(connection, viewer, emails) if emails else {}
    found = []
    for each in people:
        person = by_id.get(each) if isinstance(each, int) else addressed.get(email_key(each))
        if person is None or person.realm_id != viewer.realm_id:
            raise refusal(each)
        found.append(person)
    return found


async def names_in(context: Context, caller: Caller, content: str) -> Names:
    """The accounts and channels that an author's text names. A name that several accounts have goes to the first of
    them; ids distinguish them.

    Only public channels that the author sees are linked, because every reader sees the link.
    """
    people_names, people_ids = named_people(content)
    names = named_channels(content)
    if not (people_names or people_ids or names):
        return Names()
    async with context.viewing(caller) as view:
        connection, author = view.connection, view.actor.account
        people = await accounts.find_by_names(connection, author.realm_id, people_names) if people_names else ()
        by_id = await accounts.find_by_ids(connection, people_ids) if people_ids else {}
        seen = await channels.find_all_seen(connection, author, names=names) if names else ()
    public = {name_key(channel.name): channel for channel in seen if not channel.is_private}
    linked = {name.lower(): public[name_key(name.strip())] for name in names if name_key(name.strip()) in public}
    return Names(
        people={person.full_name.lower(): (person.id, person.full_name) for person in reversed(people)},
        people_by_id={each: person.full_name for each, person in by_id.items() if person.realm_id == author.realm_id},
        channels={name: (channel.id, channel.name) for name, channel in linked.items()},
    )
