"""Which messages the page shows: all, one's own, those of a channel or topic, or those with people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging.messages import NO_TOPIC, TOPIC_MAX_LENGTH
from keybearer.server.domain.messaging.narrows import Term
from keybearer.server.services.messaging import places
from keybearer.server.services.messaging.places import Conversation
from keybearer.server.services.messaging.sending import ToChannel, ToPeople
from keybearer.server.web.visit import Visit

PAGE = "/messages/"
NO_PLACE = "No such channel or conversation"
NO_RECIPIENT = "Choose a channel or somebody to write to."
MOST_PEOPLE = 50
"""Other people of a conversation that a URL names. A conversation of more is named by its id."""


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the messages. `topic` requires a channel. None means all its topics.

    `people` are the other people of a conversation. `conversation_id` is set only for a conversation of so many people
    that its URL names its id instead.
    """

    channel_id: int | None = None
    topic: str | None = None
    people: tuple[int, ...] = ()
    is_sent: bool = False
    conversation_id: int | None = None

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
        if self.conversation_id is not None:
            return f"conversation:{self.conversation_id}"
        return f"people:{','.join(map(str, self.people))}" if self.people else ""

    @property
    def path(self) -> str:
        """The URL."""
        query: dict[str, object] = {}
        if self.channel_id is not None:
            query["channel"] = self.channel_id
            if self.topic is not None:
                query["topic"] = self.topic
        elif self.conversation_id is not None:
            query["conversation"] = self.conversation_id
        elif self.people:
            query["with"] = ",".join(map(str, self.people))
        elif self.is_sent:
            query["sent"] = "yes"
        return f"{PAGE}?{urlencode(query, safe=',')}" if query else PAGE

    @property
    def recipient(self) -> ToChannel | ToPeople:
        """Where a message is sent that is written here. Raises Refused if a message needs another place."""
        if self.channel_id is not None:
            return ToChannel(self.channel_id, self.topic or "")
        if self.people:
            return ToPeople(self.people)
        raise Refused(NO_RECIPIENT)


def conversation_place(conversation: Conversation) -> Place:
    """The place of a conversation."""
    is_named_by_id = len(conversation.others) > MOST_PEOPLE
    return Place(people=conversation.others, conversation_id=conversation.id if is_named_by_id else None)


def topic_words(topic: str) -> str:
    """A topic's name as people read it. A topic without a name is Zulip's general chat."""
    return topic or NO_TOPIC


def read_place(query: Mapping[str, str]) -> Place:
    """The place that a URL names, without the people of a conversation that it names by its id. Raises Refused if the
    URL is not valid.
    """
    if "channel" in query:
        topic = query.get("topic")
        return Place(_number(query["channel"]), None if topic is None else topic[:TOPIC_MAX_LENGTH])
    if "conversation" in query:
        return Place(conversation_id=_number(query["conversation"]))
    if "with" in query:
        return Place(people=_people(query["with"]))
    return Place(is_sent="sent" in query)


def read_recipient(to: str, topic: str) -> Place:
    """The place to which a form's message is sent, as `read_place` gives it. Raises Refused if none was chosen."""
    kind, _, ids = to.partition(":")
    if kind == "channel":
        return Place(_number(ids), topic)
    if kind == "conversation":
        return Place(conversation_id=_number(ids))
    if kind == "people":
        return Place(people=_people(ids))
    raise Refused(NO_RECIPIENT)


async def with_people(visit: Visit, place: Place) -> Place:
    """The place with the people of its conversation. Raises Refused if the visitor is not one of them."""
    if place.conversation_id is None:
        return place
    conversation = await places.find_conversation(visit.context, visit.caller, place.conversation_id)
    if conversation is None:
        raise Refused(NO_PLACE)
    return conversation_place(conversation)


def _people(text: str) -> tuple[int, ...]:
    people = tuple(sorted({_number(each) for each in text.split(",")[: MOST_PEOPLE + 1]}))
    if len(people) > MOST_PEOPLE:
        raise Refused(NO_PLACE)
    return people


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Refused(NO_PLACE)
    return int(text)
