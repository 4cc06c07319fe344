"""Limits: how much of something may exist, and how much of that is left."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import NamedTuple

MOST_CONNECTIONS = 20_000
"""Connections of one worker, if the limit on its open files allows so many. Half of them may wait for events."""

UNCOUNTED_BODY = 4 * 1024
"""Bytes of each body that are always accepted: enough for a sign-in. The number of connections bounds the total."""

BODIES_IN_FLIGHT = 64 * 1024 * 1024
"""Bytes of all bodies that one worker holds at the same time, beyond those that are always accepted."""

BODIES_OF_STRANGERS = 16 * 1024 * 1024
"""The part of `BODIES_IN_FLIGHT` for strangers: requests whose sender is not known yet."""

BODIES_OF_ONE = 16 * 1024 * 1024
"""The part of `BODIES_IN_FLIGHT` that one account may use."""

BODIES_OF_NETWORK = 4 * 1024 * 1024
"""The part of `BODIES_IN_FLIGHT` that strangers from one network may use."""


SHARE_OF_NAMED_KEY = 2
"""A named key may make this fraction of its account's calls: a script that runs wild leaves the rest to other keys."""

CALLS_OF_BOTS = 10
"""The bots of one owner together may make this many times the calls of one account."""


class Cap(Enum):
    """The maximum of something: the number, what it counts, and the words of the refusal beyond it.

    The reference of limits is generated from this table. Limits on one text, such as a name, are beside that text.
    """

    # One request. Every list has room for what Zulip's programs send at once: 5,000 ids.
    ENTRIES = (5000, "entries of a list or an object in a parameter", "The request is refused.")
    MESSAGES = (5000, "messages that one request reads or marks", "The request is refused.")
    TERMS = (50, "terms of a narrow", "The request is refused.")
    SEARCH_WORDS = (50, "words that one narrow searches for", "more than {most} words to search for")
    INVITED = (100, "people invited by one request", "Invite at most {most} people at once.")
    INVITED_TO = (200, "channels that an invitation names", "The request is refused.")
    FOLLOWED = (
        10_000,
        "subscriptions that one request changes: channels times people",
        "A request can change at most {most} subscriptions. Send fewer channels or fewer people at once.",
    )
    FOLLOWERS = (
        100_000,
        "subscribers of all channels that one request subscribes somebody to, added up",
        "The channels have more than {most} subscribers together. Subscribe to fewer channels at once.",
    )
    DESCRIPTIONS = (
        100_000,
        "characters of the descriptions of channels that one request creates",
        "The descriptions are longer than {most} characters together. Create fewer channels at once.",
    )
    MOVED = (
        10_000,
        "messages that one request moves",
        "More than {most} messages would move at once. Begin at a later message, with propagate_mode change_later.",
    )
    # What one account has.
    QUEUES = (
        1500,
        "event queues that a person and their bots have open",
        "You and your bots have {most} event queues open, as many as you may have. Close one, or wait until one ends.",
    )
    QUEUE_FILTER = (
        20_000,
        "characters of the filter of an event queue: its narrow and its event types, as JSON",
        "narrow and event_types are longer than {most} characters together.",
    )
    QUEUE_LOG = (
        20_000,
        "events that wait for an event queue",
        "The queue is closed. Its client is answered BAD_EVENT_QUEUE_ID and registers a new one.",
    )
    CHANNELS = (
        5000,
        "channels that an account and its bots have created",
        "You have created {most} channels, as many as an account may create.",
    )
    BOTS = (1000, "bots that an account owns, including deactivated ones", "An account may own at most {most} bots.")
    API_KEYS = (
        50,
        "named API keys of an account that have not ended",
        "This account has {most} named API keys, as many as it may have. Revoke one first.",
    )
    SESSIONS = (
        200,
        "browsers that an account is signed in with",
        "The one that was not used for the longest time is signed out, and the audit log says so.",
    )
    DEVICES = (
        100,
        "mobile devices of an account",
        "You have {most} devices, as many as an account may have. Remove one first.",
    )
    INVITATIONS = (
        1000,
        "open invitations of an account",
        "You have {most} open invitations, as many as an account may have. Revoke some, or wait until they expire.",
    )
    ALERT_WORDS = (
        200,
        "alert words of an account",
        "You can have at most {most} alert words. Remove some first.",
    )
    ALERT_WORDS_OF_PERSON = (
        2000,
        "alert words of a person and their bots",
        "You and your bots can have at most {most} alert words together. Remove some first.",
    )
    USER_TOPICS = (
        1000,
        "topics that an account has muted, unmuted or followed",
        "You can mute, unmute or follow at most {most} topics. Reset some first.",
    )
    USER_TOPICS_OF_PERSON = (
        10_000,
        "topics that a person and their bots have muted, unmuted or followed",
        "You and your bots can mute, unmute or follow at most {most} topics together. Reset some first.",
    )
    MUTED_USERS = (
        1000,
        "accounts that an account has muted",
        "You can mute at most {most} users. Unmute some first.",
    )
    MUTED_USERS_OF_PERSON = (
        10_000,
        "accounts that a person and their bots have muted",
        "You and your bots can mute at most {most} users together. Unmute some first.",
    )
    STORAGE = (
        10_000_000,
        "characters that an account keeps in `bot_storage`, keys and values",
        "Request exceeds storage limit by {over} characters. The limit is {most} characters.",
    )
    STORAGE_KEYS = (
        20_000,
        "keys that an account keeps in `bot_storage`",
        "An account may keep at most {most} keys. Remove some first.",
    )
    STORAGE_KEYS_OF_PERSON = (
        100_000,
        "keys that a person and their bots keep in `bot_storage`",
        "One person and their bots may keep at most {most} keys. Remove some first.",
    )
    STORAGE_OF_PERSON = (
        100_000_000,
        "characters that a person and their bots keep in `bot_storage`",
        "Request exceeds storage limit of you and your bots by {over} characters. The limit is {most} characters.",
    )
    WEBHOOK_CALLS_OF_BOT = (
        500,
        "calls of an outgoing webhook that wait",
        "The bot is not called. Its conversation is told that it is unavailable, and its owner is told why.",
    )
    WEBHOOK_CALLS = (
        2000,
        "calls of outgoing webhooks that wait, for the bots of one owner",
        "A bot is not called. Its conversation is told that it is unavailable, and its owner is told why.",
    )
    # What a message has.
    EDITS = (
        200,
        "changes of the text of one message",
        "This message was changed {most} times, as often as a message may be. Send a new one.",
    )
    MOVES = (
        200,
        "moves of one message; after that moderators may move it 200 times more, and after them administrators",
        "One of these messages was moved as often as your role allows. Ask a moderator or an administrator to move it.",
    )
    EDITS_TEXT = (
        1_000_000,
        "characters of the earlier versions of one message",
        "The earlier versions of this message are longer than {most} characters together. Send a new one.",
    )
    REACTIONS = (1000, "reactions to a message", "This message has {most} reactions, as many as a message may have.")
    OWN_REACTIONS = (50, "reactions of one account to a message", "You may add at most {most} reactions to a message.")
    # The whole server.
    DEFAULT_CHANNELS = (
        100,
        "channels that every new person is subscribed to",
        "There can be at most {most} default channels. Remove some first.",
    )
    MULTIUSE_INVITATIONS = (
        100,
        "open invitations that several people can use",
        "There are {most} such invitations already. Withdraw one first.",
    )
    UPLOADS = (
        10_240,
        "MiB of uploaded files (`KEYBEARER_UPLOAD_QUOTA`); one account and its bots may use a tenth of it",
        "Upload would exceed your organization's upload quota.",
    )
    MAILS = (
        10_000,
        "mails that wait to be sent",
        "Too many mails are waiting to be sent. Try again later, or tell the operator of this server.",
    )
    MAILS_TO_ONE = (
        100,
        "mails that wait for one recipient",
        "A notice is not sent, and the log says so. An invitation or a reset link is refused.",
    )

    def __init__(self, most: int, what: str, beyond: str) -> None:
        self.most = most
        self.what = what
        self.beyond = beyond

    def refusal(self, **values: int) -> str:
        """The text for somebody who reaches it."""
        return self.beyond.format(**{"most": self.most, **values})


MOST_ENTRIES = Cap.ENTRIES.most


class Retention(Enum):
    """How long something that only grows is kept: the number of days, and what it is."""

    STRANGERS = (90, "audit records that people without an account can cause: refused sign-ins, reset requests")
    AUDIT = (730, "other audit records")
    GIVEN_UP_MAILS = (90, "mails that could not be sent, at most 10,000 of them")
    SIGN_INS = (30, "the addresses from which an account signed in")

    def __init__(self, days: int, what: str) -> None:
        self.days = timedelta(days=days)
        self.what = what


MOST_VALUES = 8 * MOST_ENTRIES
"""Values in one parameter, at any depth: 5,000 objects with a few fields each."""

MOST_TEXT = 5_000_000
"""Characters of messages in one answer: their texts, the same texts as HTML, and their earlier versions."""

LENGTH_OF_PERSON = 16
"""How many times as long a person is in `display_recipient` as its id: those of a message count towards `MOST_TEXT`."""

MOST_MEMBERS = 3_000_000
"""Characters of the ids of people in conversations whose unread messages are in one answer."""

MOST_SUBSCRIBERS = 1_000_000
"""Subscribers of all channels in one answer."""

MOST_NAMED = 200_000
"""Recipients of all direct messages together that one request marks as unread: an event names those of each message."""

MOST_REACTIONS = 60_000
"""Reactions in one answer: a page of 50 messages always has room for them."""

MOST_EVENT_TEXT = 2_000_000
"""Characters of events that are read from the log at once."""

SEARCHES = 2
"""Searches that one worker makes at the same time. It reads SQLite through four connections, PostgreSQL through ten."""

SEARCH_TAKES = 10.0
"""Seconds after which a search is stopped."""

LONG_ANSWERS = 2
"""Answers of tens of megabytes that one worker builds at the same time."""

MOST_LONG_WORK = 200
"""Jobs that wait for the worker's thread for work that would hold up its event loop."""

MOST_LONG_WORK_OF_ONE = 20
"""The part of `MOST_LONG_WORK` that belongs to one account or address."""


class Quota(NamedTuple):
    """What a limit leaves: the `X-RateLimit-*` headers of an answer. `reset` is in seconds since 1970 UTC."""

    limit: int
    remaining: int
    reset: int

    def merged(self, other: Quota | None) -> Quota:
        """Both limits in one, as Zulip reports several: the smaller numbers and the later time."""
        if other is None:
            return self
        return Quota(min(self.limit, other.limit), min(self.remaining, other.remaining), max(self.reset, other.reset))
