"""Which messages the page shows: all, one's own, those of a channel or topic, or those with people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging.messages import NO_TOPIC, TOPIC_MAX_LENGTH
from keybearer.server.domain.messaging.narrows import Term
from keybearer.server.services.messaging.sending import ToChannel, ToPeople

PAGE = "/messages/"
NO_PLACE = "No such channel or conversation"
MOST_PEOPLE = 50
"""People of a conversation that a URL can name."""


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the messages. `topic` requires a channel. None means all its topics."""

    channel_id: int | None = None
    topic: str | None = None
    people: tuple[int, ...] = ()
    is_sent: bool = False

    @property
    def terms(self) -> tuple[Term, ...]:
        """The place as a narrow."""
        if self.channel_id is not None:
            topic = () if self.topic is None else (Term("topic", self.topic),)
            return (Term("channel", self.channel_id), *topic)
        if self.people:
            return (Term("dm", self.people),)
        return (Term("sender", "me"),) if self.is_sent else ()

    @property
    def to(self) -> str:
        """The place as a value in the form for a message. Empty if a message needs another place."""
        if self.channel_id is not None:
            return f"channel:{self.channel_id}"
        return f"people:{','.join(map(str, self.people))}" if self.people else ""

    @property
    def path(self) -> str:
        """The URL."""
        query: dict[str, object] = {}
        if self.channel_id is not None:
            query["channel"] = self.channel_id
            if self.topic is not None:
                query["topic"] = self.topic
        elif self.people:
            query["with"] = ",".join(map(str, self.people))
        elif self.is_sent:
            query["sent"] = "yes"
        return f"{PAGE}?{urlencode(query, safe=',')}" if query else PAGE


def topic_words(topic: str) -> str:
    """A topic's name as people read it. A topic without a name is Zulip's general chat."""
    return topic or NO_TOPIC


def read_place(query: Mapping[str, str]) -> Place:
    """The place that a URL names. Raises Refused if the URL is not valid."""
    if "channel" in query:
        topic = query.get("topic")
        return Place(_number(query["channel"]), None if topic is None else topic[:TOPIC_MAX_LENGTH])
    if "with" in query:
        return Place(people=_people(query["with"]))
    return Place(is_sent="sent" in query)


def read_target(to: str, topic: str) -> tuple[Place, ToChannel | ToPeople]:
    """The place to which a form's message is sent. Raises Refused if none was chosen."""
    kind, _, ids = to.partition(":")
    if kind == "channel":
        channel_id = _number(ids)
        return Place(channel_id, topic), ToChannel(channel_id, topic)
    if kind == "people":
        people = _people(ids)
        return Place(people=people), ToPeople(people)
    raise Refused("Choose a channel or somebody to write to.")


def _people(text: str) -> tuple[int, ...]:
    people = tuple(sorted({_number(each) for each in text.split(",")[: MOST_PEOPLE + 1]}))
    if len(people) > MOST_PEOPLE:
        raise Refused(NO_PLACE)
    return people


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Refused(NO_PLACE)
    return int(text)
