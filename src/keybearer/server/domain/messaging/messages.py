"""Messages: their texts and limits, their flags, where they are sent, and how long they may be changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntFlag
from functools import cache
from itertools import takewhile
from typing import NamedTuple

from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.errors import Refused, check_cap
from keybearer.server.domain.event_log import Subject
from keybearer.server.domain.limits import Cap

CONTENT_MAX_LENGTH = 10_000
TOPIC_MAX_LENGTH = 60
MOST_MESSAGES = Cap.MESSAGES.most
LONGEST_KEY = 2000
"""Length of a text that PostgreSQL can hold in an index, in characters."""

MOST_MARKED = 50_000
"""How many unread or starred messages a client is given when it registers, as in Zulip."""

EDITABLE_FOR = timedelta(days=7)
"""How long after sending a message its author may change its text or delete it."""

NO_TOPIC = "general chat"
"""What is shown instead of empty topics to clients that do not know them."""

_BRIEF_TEXT = 200
"""Length of an earlier text that is shown with a message, in characters."""

_TRUNCATED = "\n[message truncated]"


class Flag(IntFlag):
    """The marks on an account's copy of a message."""

    READ = 1
    STARRED = 2
    COLLAPSED = 4
    MENTIONED = 8
    CHANNEL_WILDCARD_MENTIONED = 16
    TOPIC_WILDCARD_MENTIONED = 32
    HISTORICAL = 64
    HAS_ALERT_WORD = 128

    @property
    def wire_names(self) -> list[str]:
        """The names on the wire. They include the old name that covers every wildcard mention."""
        return list(_wire_names(self))


@cache
def _wire_names(flags: Flag) -> tuple[str, ...]:
    names = [_WIRE_NAMES[flag] for flag in Flag if flag in flags]
    if flags & (Flag.CHANNEL_WILDCARD_MENTIONED | Flag.TOPIC_WILDCARD_MENTIONED):
        names.append("wildcard_mentioned")
    return tuple(names)


@cache
def flag_of(number: int) -> Flag:
    """The flags with this number. There are few, and enum takes long to make one."""
    return Flag(number)


_WIRE_NAMES = {
    Flag.READ: "read",
    Flag.STARRED: "starred",
    Flag.COLLAPSED: "collapsed",
    Flag.MENTIONED: "mentioned",
    Flag.CHANNEL_WILDCARD_MENTIONED: "stream_wildcard_mentioned",
    Flag.TOPIC_WILDCARD_MENTIONED: "topic_wildcard_mentioned",
    Flag.HISTORICAL: "historical",
    Flag.HAS_ALERT_WORD: "has_alert_word",
}
EDITABLE_FLAGS = {"read": Flag.READ, "starred": Flag.STARRED, "collapsed": Flag.COLLAPSED}
ANY_MENTION = Flag.MENTIONED | Flag.CHANNEL_WILDCARD_MENTIONED | Flag.TOPIC_WILDCARD_MENTIONED
BY_TEXT = ANY_MENTION | Flag.HAS_ALERT_WORD
"""The flags of a copy that follow from the message's text."""


def checked_flag(name: str) -> Flag:
    """The flag of that name, if people may set it. Raises Refused with Zulip's words otherwise."""
    if name in EDITABLE_FLAGS:
        return EDITABLE_FLAGS[name]
    if name in {*_WIRE_NAMES.values(), "wildcard_mentioned"}:
        raise Refused(f"Flag not editable: '{name}'")
    raise Refused(f"Invalid flag: '{name}'")


@dataclass(frozen=True, slots=True)
class Message:
    """A message as stored: to a channel and topic, or to people (`recipient_ids`, which include the sender).

    `edits` are the earlier versions, newest first, as the wire shows them.
    """

    id: int
    realm_id: int
    sender_id: int
    content: str
    rendered: str
    sent_at: datetime
    client: str = ""
    channel_id: int | None = None
    conversation_id: int | None = None
    recipient_ids: tuple[int, ...] = ()
    topic: str = ""
    edited_at: datetime | None = None
    edits: Sequence[Mapping[str, object]] = ()

    @property
    def subject(self) -> Subject:
        """The subject of events that show the message. A direct message is only sent to its people anyway."""
        addressed_ids = (self.sender_id, *self.recipient_ids)
        if self.channel_id is None:
            return Subject(addressed_ids=addressed_ids)
        return Subject((self.channel_id,), (self.id,), addressed_ids=addressed_ids)


class Marked(NamedTuple):
    """A message on which an account's copy has a flag, without its text: where it is, and the flags of the copy."""

    id: int
    channel_id: int | None
    topic: str
    recipient_ids: tuple[int, ...]
    flags: Flag


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji that an account put under a message. `kind` is `unicode_emoji` or `zulip_extra_emoji`."""

    message_id: int
    account_id: int
    emoji_name: str
    emoji_code: str
    kind: str = "unicode_emoji"


@dataclass(frozen=True, slots=True)
class Copy:
    """A message as one account has it."""

    message: Message
    flags: Flag
    reactions: tuple[Reaction, ...] = ()


@dataclass(frozen=True, slots=True)
class Directory:
    """The accounts and channels that messages refer to: accounts by id, channel names by id, and the domain of dummy
    addresses."""

    accounts: Mapping[int, Account]
    channel_names: Mapping[int, str] = field(default_factory=dict)
    dummy_domain: str = ""
    people_shown: dict[tuple[int, ...], list[dict[str, object]]] = field(default_factory=dict, compare=False)
    """The people of conversations as messages show them, once for all messages of a conversation."""


@dataclass(frozen=True, slots=True)
class Found:
    """Messages around an anchor, oldest first."""

    copies: Sequence[Copy]
    directory: Directory
    anchor: int
    found_anchor: bool
    found_oldest: bool
    found_newest: bool


def checked_content(text: str) -> str:
    """The text as it is stored. A text that is too long is cut, as in Zulip. Raises Refused if nothing is left."""
    content = text.rstrip().lstrip("\n")
    if not content:
        raise Refused("Message must not be empty")
    if "\x00" in content:
        raise Refused("Message must not contain null bytes")
    return shortened_content(content)


def shortened_content(text: str) -> str:
    """The text, cut to what a message has room for."""
    return shortened(text, CONTENT_MAX_LENGTH, _TRUNCATED)


def checked_topic(text: str) -> str:
    """The topic as it is stored: "" for none (whatever word the client uses for that). A topic that is too long is cut,
    as in Zulip."""
    topic = text.strip()[: TOPIC_MAX_LENGTH + 1]  # one more than there is room for, so that it counts as too long
    for position, character in enumerate(topic, start=1):
        if not character.isprintable() and character not in "\u200d\ufe0f":
            raise Refused(f"Invalid character in topic, at position {position}!")
    if topic in ("(no topic)", NO_TOPIC):
        return ""
    return shortened(topic, TOPIC_MAX_LENGTH, "...")


def shortened(text: str, limit: int, sign: str) -> str:
    """`text` in at most `limit` characters. If it was longer, it ends with `sign`."""
    return text if len(text) <= limit else text[: limit - len(sign)] + sign


def check_may_rewrite(account: Account, message: Message, now: datetime) -> None:
    """Raise Refused with Zulip's words unless the account may change the text. Its author may, for some days."""
    if message.sender_id != account.id:
        raise Refused("You don't have permission to edit this message")
    if now - message.sent_at > EDITABLE_FOR:
        raise Refused("The time limit for editing this message has passed")


def check_may_move(account: Account, *, to_other_channel: bool) -> None:
    """Raise Refused with Zulip's words unless the account may move messages that it sees. Every member may change their
    topic; administrators may change their channel."""
    if account.role > Role.MEMBER:
        raise Refused("You don't have permission to edit this message")
    if to_other_channel and not account.is_administrator:
        raise Refused("You don't have permission to move this message")


def check_moves(account: Account, moves: int) -> None:
    """Raise CapReached if a message that was moved so often may not be moved again by the account. Moderators may move
    a message that members cannot move any more, and administrators one that moderators cannot: nobody makes a topic
    immovable for those who keep order.
    """
    ranks_below = sum(account.role <= role for role in (Role.MODERATOR, Role.ADMINISTRATOR))
    check_cap(Cap.MOVES, moves + 1 - ranks_below * Cap.MOVES.most)


def check_may_delete(account: Account, message: Message, now: datetime) -> None:
    """Raise Refused with Zulip's words unless the account may delete a message that it sees. Administrators may. Its
    author may too, while its text may be changed."""
    if account.is_administrator:
        return
    if message.sender_id != account.id:
        raise Refused("You don't have permission to delete this message")
    if now - message.sent_at > EDITABLE_FOR:
        raise Refused("The time limit for deleting this message has passed")


def visible_edits(
    edits: Sequence[Mapping[str, object]], channel_ids: Collection[int]
) -> Sequence[Mapping[str, object]]:
    """The edits of a message (newest first) since it was last moved out of a channel that is not one of these."""
    return tuple(takewhile(lambda edit: edit.get("prev_stream") is None or edit["prev_stream"] in channel_ids, edits))


def brief_edits(edits: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """The edits of a message as they are shown with it: an earlier text is cut. The message's history has the whole
    text."""
    return [
        {
            name: shortened(str(value), _BRIEF_TEXT, "…") if name == "prev_content" else value
            for name, value in edit.items()
            if name != "prev_rendered_content"
        }
        for edit in edits
    ]


def conversation_members(account_ids: Iterable[int]) -> str:
    """The people of a conversation as a text: their ids in order, each once."""
    return ",".join(str(account_id) for account_id in sorted(set(account_ids)))


def conversation_key(account_ids: Iterable[int]) -> str:
    """The key of a conversation: its people, or a digest of them if they are too many for an index."""
    members = conversation_members(account_ids)
    if len(members) <= LONGEST_KEY:
        return members
    return f"sha256:{hashlib.sha256(members.encode()).hexdigest()}"


def invalid_messages() -> Refused:
    """Zulip's refusal for messages that do not exist or that the account may not see. Both look the same."""
    return Refused("Invalid message(s)")
