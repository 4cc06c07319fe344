"""Finding the channels, people and messages that a use case is about, and what those refer to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging.channels import Channel, may_read
from keybearer.server.domain.messaging.messages import Copy, Directory, Flag, Message, Reaction, invalid_messages
from keybearer.server.services.lookups import the_realm
from keybearer.server.services.messaging.markdown import Names
from keybearer.server.services.messaging.zulip_syntax import named_channels, named_people
from keybearer.server.storage import accounts
from keybearer.server.storage.messaging import channels, messages, reactions

NOT_DELIVERED = Flag.READ | Flag.HISTORICAL
"""How an account sees a message that it may read and was never sent."""


async def directory_of(
    connection: AsyncConnection, found: Iterable[Message], reacted: Iterable[Reaction] = ()
) -> Directory:
    """Everybody and every channel that these messages and reactions name."""
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


async def copies_of(connection: AsyncConnection, account: Account, found: Sequence[Message]) -> list[Copy]:
    """These messages as the account has them."""
    ids = [message.id for message in found]
    flags = await messages.find_flags(connection, account.id, ids)
    reacted = await reactions.find_all(connection, ids)
    return [Copy(message, flags.get(message.id, NOT_DELIVERED), reacted.get(message.id, ())) for message in found]


async def may_see(connection: AsyncConnection, account: Account, message: Message) -> bool:
    """Whether an account may see a message: it has a copy, or may read the channel."""
    if message.realm_id != account.realm_id:
        return False
    if await messages.find_flags(connection, account.id, [message.id]):
        return True
    channel = None if message.channel_id is None else await channels.find(connection, message.channel_id)
    if channel is None:
        return False
    return may_read(account, channel, subscribed=await channels.is_subscribed(connection, account.id, channel.id))


async def visible_message(
    connection: AsyncConnection, account: Account, message_id: int, *, for_change: bool = False
) -> Message:
    """A message that the account may see. Raises Refused where there is none."""
    message = await messages.find(connection, message_id, for_change=for_change)
    if message is None or not await may_see(connection, account, message):
        raise invalid_messages()
    return message


async def audience(connection: AsyncConnection, message: Message) -> dict[int, Sequence[str]]:
    """Everybody who is told of a change of a message: who has a copy, and who follows its channel."""
    owners = await messages.find_owners(connection, message.id)
    told: dict[int, Sequence[str]] = {account_id: flags.wire_names for account_id, flags in owners.items()}
    if message.channel_id is not None:
        for account_id in await channels.find_active_subscribers(connection, message.channel_id):
            told.setdefault(account_id, NOT_DELIVERED.wire_names)
    return told


async def find_channel(connection: AsyncConnection, realm_id: int, channel: str | int) -> Channel:
    """The channel of a name or an id. Raises Refused in Zulip's words."""
    if isinstance(channel, int):
        found = await channels.find(connection, channel)
        if found is None or found.realm_id != realm_id:
            raise Refused(f"Channel with ID '{channel}' does not exist", code="STREAM_DOES_NOT_EXIST")
        return found
    found = await channels.find_by_name(connection, realm_id, channel)
    if found is None:
        extra = {"channel_name": channel}
        raise Refused(f"Channel '{channel}' does not exist", code="STREAM_DOES_NOT_EXIST", extra=extra)
    return found


async def find_person(connection: AsyncConnection, realm_id: int, person: str | int) -> Account:
    """The account of an email or an id, the dummy address of somebody who hides theirs too. Raises Refused."""
    if isinstance(person, int):
        found = await accounts.find(connection, person)
        if found is None or found.realm_id != realm_id:
            raise Refused(f"Invalid user ID {person}")
        return found
    found = await accounts.find_by_email(connection, realm_id, person)
    if found is None:
        dummy = re.fullmatch(r"user(\d{1,9})@.+", person.strip())
        found = await accounts.find(connection, int(dummy[1])) if dummy else None
    if found is None or found.realm_id != realm_id:
        raise Refused(f"Invalid email '{person}'")
    return found


async def names_in(connection: AsyncConnection, realm_id: int, content: str) -> Names:
    """Whom and what a text names. A name that several have goes to the first of them; ids tell them apart."""
    people_names, people_ids = named_people(content)
    people = await accounts.find_by_names(connection, realm_id, people_names) if people_names else ()
    by_id = await accounts.find_by_ids(connection, people_ids) if people_ids else {}
    known = {}
    for name in named_channels(content):
        channel = await channels.find_by_name(connection, realm_id, name)
        if channel is not None and not channel.is_private:
            known[name.lower()] = (channel.id, channel.name)
    return Names(
        people={person.full_name.lower(): (person.id, person.full_name) for person in reversed(people)},
        people_by_id={each: person.full_name for each, person in by_id.items() if person.realm_id == realm_id},
        channels=known,
    )
