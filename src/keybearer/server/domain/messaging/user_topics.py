"""What an account chose for topics: muted, unmuted in a muted channel, or followed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, Subject, without_flags


class TopicPolicy(IntEnum):
    """Zulip's visibility policies by their numbers."""

    NONE = 0
    MUTED = 1
    UNMUTED = 2
    FOLLOWED = 3


def is_muted(policy: TopicPolicy, *, is_channel_muted: bool) -> bool:
    """Whether a topic is muted for an account that chose this policy, and that muted the channel or did not."""
    if is_channel_muted:
        return policy not in (TopicPolicy.UNMUTED, TopicPolicy.FOLLOWED)
    return policy is TopicPolicy.MUTED


@dataclass(frozen=True, slots=True)
class UserTopic:
    """What an account chose for a topic, and when."""

    account_id: int
    channel_id: int
    topic: str
    policy: TopicPolicy
    changed_at: datetime


def topic_fields(chosen: UserTopic) -> dict[str, object]:
    """What an account chose for a topic, on the wire."""
    return {
        "stream_id": chosen.channel_id,
        "topic_name": chosen.topic,
        "last_updated": int(chosen.changed_at.timestamp()),
        "visibility_policy": chosen.policy.value,
    }


def muted_fields(chosen: Sequence[tuple[UserTopic, str]]) -> list[list[object]]:
    """The muted topics among these in their old form, each with its channel's name."""
    return [
        [name, each.topic, int(each.changed_at.timestamp())]
        for each, name in chosen
        if each.policy is TopicPolicy.MUTED
    ]


def changed(chosen: UserTopic, account_ids: Iterable[int] = ()) -> Event:
    """An account chose a policy for a topic, or one of these policies moved with its topic."""
    fields = {"type": "user_topic", **topic_fields(chosen)}
    recipients = without_flags(account_ids or [chosen.account_id])
    return Event("user_topic", fields, Subject((chosen.channel_id,)), recipients)


def muted_topics_changed(account_ids: Iterable[int]) -> Event:
    """The same in the old form, which holds all muted topics. They are added at delivery, because each account has its
    own."""
    return Event(MUTED_TOPICS, {"type": MUTED_TOPICS}, OPEN_TO_ALL, without_flags(account_ids))


MUTED_TOPICS = "muted_topics"
"""The type of events in the old form, and the field that holds the list."""
