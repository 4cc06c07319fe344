"""Messages as items of a page."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging.messages import Copy, Directory, Message, check_may_rewrite
from keybearer.server.domain.pacing import paced
from keybearer.server.services.messaging.places import conversation_of, shown_by_name
from keybearer.server.web.messaging.content import emoji_text, shown_html
from keybearer.server.web.messaging.places import Place, conversation_place, topic_words
from keybearer.server.web.wording import counted


@dataclass(frozen=True, slots=True)
class Chip:
    """An emoji on a message: who added it, and whether the reader did."""

    name: str
    text: str
    people: str
    count: int
    is_mine: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A message. `version` changes whenever the message looks different."""

    message: Message
    sender: Account
    place: Place
    place_words: str
    html: Markup
    chips: Sequence[Chip]
    may_edit: bool
    version: str


async def items_of(copies: Iterable[Copy], directory: Directory, reader: Account, now: datetime) -> list[Item]:
    """These messages for their reader: a person, or a bot that is read by its owner."""
    return await paced(lambda copy: _item(copy, directory, reader, now), copies)


def _item(copy: Copy, directory: Directory, reader: Account, now: datetime) -> Item:
    message = copy.message
    place = _place(message, reader)
    words = _place_words(message, place, directory)
    chips = _chips(copy, directory, reader)
    may_edit = _may_edit(reader, message, now)
    sender = directory.accounts[message.sender_id]
    looks = repr((message.content, message.rendered, message.edited_at, words, chips, sender.full_name, may_edit))
    return Item(
        message=message,
        sender=sender,
        place=place,
        place_words=words,
        html=shown_html(message.rendered, reader.id),
        chips=chips,
        may_edit=may_edit,
        version=f"{zlib.crc32(looks.encode()):x}",
    )


def _place(message: Message, reader: Account) -> Place:
    if message.channel_id is not None:
        return Place(message.channel_id, message.topic)
    assert message.conversation_id is not None
    return conversation_place(conversation_of(message.conversation_id, message.recipient_ids, reader.id))


def _place_words(message: Message, place: Place, directory: Directory) -> str:
    if message.channel_id is not None:
        return f"#{directory.channel_names[message.channel_id]} › {topic_words(message.topic)}"
    return f"Direct message with {names_of(place.people, directory.accounts)}"


def names_of(ids: Sequence[int], accounts: Mapping[int, Account]) -> str:
    """`Ada, Milan and Greta`, or the first names `and 64 others`. `accounts` holds those whose names are shown."""
    shown = shown_by_name(ids)
    names = [accounts[each].full_name for each in shown]
    if len(ids) > len(shown):
        names.append(counted(len(ids) - len(shown), "other"))
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _chips(copy: Copy, directory: Directory, reader: Account) -> list[Chip]:
    """One chip for each emoji, in the order in which they were added."""
    by_emoji: dict[tuple[str, str], list[int]] = {}
    names: dict[tuple[str, str], str] = {}
    for reaction in copy.reactions:
        key = (reaction.kind, reaction.emoji_code)
        by_emoji.setdefault(key, []).append(reaction.account_id)
        names.setdefault(key, reaction.emoji_name)
    return [
        Chip(
            name=names[key],
            text=emoji_text(key[1], names[key]),
            people=names_of(people, directory.accounts),
            count=len(people),
            is_mine=reader.id in people,
        )
        for key, people in by_emoji.items()
    ]


def _may_edit(reader: Account, message: Message, now: datetime) -> bool:
    try:
        check_may_rewrite(reader, message, now)
    except Refused:
        return False
    return True
