"""Sends messages: the recipients, the permission, the text, and who is notified."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging import message_events
from keybearer.server.domain.messaging.alert_words import searchable
from keybearer.server.domain.messaging.channels import Channel, check_may_post
from keybearer.server.domain.messaging.message_events import Echo
from keybearer.server.domain.messaging.messages import Directory, Flag, Message, checked_content, checked_topic
from keybearer.server.domain.realms import bot_domain_of
from keybearer.server.domain.visibility import may_see_channel, shown_email
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_realm
from keybearer.server.services.messaging.alert_words import alerted
from keybearer.server.services.messaging.attachments import tell_linked
from keybearer.server.services.messaging.lookups import find_channel, find_people, names_in
from keybearer.server.services.messaging.markdown import Rendered, render_for
from keybearer.server.storage import accounts
from keybearer.server.storage.messaging import channels, new_messages, uploads, webhook_calls
from keybearer.server.storage.messaging.new_messages import NewMessage
from keybearer.server.storage.messaging.recipients import find_concerned

_HUMAN_CLIENTS = {"zulipmobile", "zulipflutter", "zulipelectron", "zulipterminal", "snipe", "website", "ios", "android"}
"""Clients in which the sender of a message has seen it, so that it is marked as read for them, as in Zulip."""


@dataclass(frozen=True, slots=True)
class ToChannel:
    """A channel, by its name or id, and a topic in it."""

    channel: str | int
    topic: str


@dataclass(frozen=True, slots=True)
class ToPeople:
    """People, by their emails or their ids."""

    people: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that has not been sent yet."""

    to: ToChannel | ToPeople
    content: str
    read_by_sender: bool | None = None
    echo: Echo | None = None


async def send(context: Context, caller: Caller, draft: Draft) -> int:
    """Send a message. Returns its id. Raises Refused with Zulip's words."""
    content = checked_content(draft.content)
    names = await names_in(context, caller, content)
    rendered = await render_for(context, caller, content, names)
    async with context.change(caller) as change:
        sender = change.actor.account
        place = await _place(change.connection, sender, draft.to)
        message, calls = await _write(change, sender, replace(draft, content=content), place, rendered)
    if calls:
        context.webhooks_due.set()
    return message.id


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a message is sent, looked up and permitted."""

    channel: Channel | None = None
    topic: str = ""
    people: tuple[Account, ...] = ()

    @property
    def people_ids(self) -> tuple[int, ...]:
        return tuple(person.id for person in self.people)


async def _place(connection: AsyncConnection, sender: Account, to: ToChannel | ToPeople) -> _Place:
    if isinstance(to, ToPeople):
        return _Place(people=await _people(connection, sender, to.people))
    topic = checked_topic(to.topic)
    channel = await _channel(connection, sender, to.channel)
    check_may_post(sender, channel)
    return _Place(channel, topic)


async def _channel(connection: AsyncConnection, sender: Account, wanted: str | int) -> Channel:
    """A channel that the sender sees, or that the owner of a bot sees."""
    owner = await accounts.find(connection, sender.bot_owner_id) if sender.bot_owner_id else None
    seen_by_owner = None if owner is None else await channels.find_seen(connection, owner, wanted)
    return seen_by_owner or await find_channel(connection, sender, wanted)


async def _people(connection: AsyncConnection, sender: Account, people: Collection[str | int]) -> tuple[Account, ...]:
    if not people:
        raise Refused("Message must have recipients")
    found = await find_people(connection, sender, people)
    for person in found:
        if not person.is_active:
            address = shown_email(sender, person, (await the_realm(connection)).bot_domain)
            raise Refused(f"'{address}' is no longer using Zulip.")
    by_id = {person.id: person for person in (sender, *found)}
    return tuple(by_id[each] for each in sorted(by_id))


async def _write(
    change: Change, sender: Account, draft: Draft, place: _Place, rendered: Rendered
) -> tuple[Message, int]:
    """Write the message, its copies and what follows from it. Returns it and how many webhooks will be called."""
    connection = change.connection
    upload_ids = await uploads.find_ids(connection, rendered.upload_paths, sender.id)
    new = NewMessage(
        realm_id=sender.realm_id,
        sender_id=sender.id,
        content=draft.content,
        rendered=rendered.html,
        sent_at=change.now,
        client=client_name(change.origin.client),
        channel_id=place.channel.id if place.channel else None,
        conversation_id=None if place.channel else await new_messages.conversation_of(connection, place.people_ids),
        topic=place.topic,
        has_link=rendered.has_link,
        has_image=rendered.has_image,
        has_attachment=bool(upload_ids),
    )
    mentioned = await accounts.find_by_ids(connection, rendered.mentioned_ids)
    searched = searchable(draft.content)
    concerned = await find_concerned(connection, channel_id=new.channel_id, searched=searched, sender_id=sender.id)
    flags = _copies(place, concerned.subscribers, mentioned.values(), rendered)
    if sender.id in flags and _is_read(draft, new.client):
        flags[sender.id] |= Flag.READ
    for each in flags.keys() & await alerted(concerned.alert_words, searched):
        flags[each] |= Flag.HAS_ALERT_WORD
    for each in flags.keys() & concerned.muting:
        flags[each] |= Flag.READ
    message = await new_messages.add(connection, new, flags, recipient_ids=place.people_ids)
    if place.channel is not None and place.channel.first_message_id is None:
        await channels.note_first_message(connection, place.channel.id, message.id)
    await uploads.attach(connection, message.id, upload_ids)
    calls = 0
    if not sender.is_bot:  # otherwise two of them would answer each other for ever
        calls = await _call_webhooks(change, message, place, mentioned)
    is_public = place.channel is not None and not place.channel.is_private
    await tell_linked(change, sender, upload_ids)
    directory = _directory(sender, place, concerned.site)
    change.tell(message_events.sent(message, directory, flags, is_public=is_public, echo=draft.echo))
    return message, calls


def _directory(sender: Account, place: _Place, site: str) -> Directory:
    """The accounts and the channel that a new message names, all of which were already found."""
    named = {person.id: person for person in (sender, *place.people)}
    names = {place.channel.id: place.channel.name} if place.channel is not None else {}
    return Directory(named, names, bot_domain_of(site))


def _copies(
    place: _Place, subscribers: Collection[int], mentioned: Collection[Account], rendered: Rendered
) -> dict[int, Flag]:
    """Who gets a copy, and its flags. A generic bot that is mentioned gets one even if it does not follow the channel
    (as in Zulip), provided that it sees the channel.
    """
    wildcards = Flag.CHANNEL_WILDCARD_MENTIONED if rendered.mentions_channel else Flag(0)
    wildcards |= Flag.TOPIC_WILDCARD_MENTIONED if rendered.mentions_topic else Flag(0)
    recipients = {*place.people_ids, *subscribers}
    if place.channel is not None:
        recipients |= {each.id for each in mentioned if _receives_mentions(each, place.channel)}
    mentioned_ids = {each.id for each in mentioned}
    mentions = wildcards | Flag.MENTIONED
    return {each: mentions if each in mentioned_ids else wildcards for each in sorted(recipients)}


def _receives_mentions(account: Account, channel: Channel) -> bool:
    """Whether this is an active generic bot that sees the channel without following it."""
    is_such_bot = account.bot_type is BotType.GENERIC and account.is_active
    return is_such_bot and may_see_channel(account, channel, ())


def _is_read(draft: Draft, client: str) -> bool:
    return client.lower() in _HUMAN_CLIENTS if draft.read_by_sender is None else draft.read_by_sender


async def _call_webhooks(change: Change, message: Message, place: _Place, mentioned: Mapping[int, Account]) -> int:
    """Call the outgoing webhook bots that a message is for: they are mentioned in a channel, or written to directly.

    When a call is made, it is checked whether the bot may see the message. Returns how many are called.
    """
    connection = change.connection
    trigger = "direct_message" if place.channel is None else "mention"
    addressed = mentioned.values() if place.channel else place.people
    bots = [each for each in addressed if each.bot_type is BotType.OUTGOING_WEBHOOK and each.is_active]
    await webhook_calls.add(connection, bots, message.id, trigger=trigger, at=change.now)
    return len(bots)


def client_name(user_agent: str) -> str:
    """A program's name from its User-Agent, as messages show it. Browsers are `website`, as in Zulip."""
    found = re.match(r"[^/\s(]{1,64}", user_agent.strip())
    if found is None:
        return "Unspecified"
    return "website" if found[0] == "Mozilla" else found[0]
