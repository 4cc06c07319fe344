"""`user_topics`: mute, unmute and follow topics, and the old form of muting them."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import choice, integer, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.parameters import missing
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.messages import TOPIC_MAX_LENGTH
from keybearer.server.domain.messaging.user_topics import TopicPolicy
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import user_topics

_POLICIES = tuple(policy.value for policy in TopicPolicy)


async def choose(call: Call) -> Answer:
    """`POST user_topics`."""
    parameters = call.parameters
    channel_id = parameters.integer("stream_id")
    topic = parameters.text("topic", max_length=TOPIC_MAX_LENGTH)
    policy = parameters.choice("visibility_policy", _POLICIES)
    if policy is None:
        raise missing("visibility_policy")
    await user_topics.choose(call.context, call.caller, channel_id, topic, TopicPolicy(policy))
    return success()


async def mute(call: Call) -> Answer:
    """`PATCH users/me/subscriptions/muted_topics`: the channel by its id or its name."""
    parameters = call.parameters
    channel_id, name = parameters.optional_integer("stream_id"), parameters.optional_text("stream")
    topic, op = parameters.text("topic", max_length=TOPIC_MAX_LENGTH), parameters.text("op")
    if op not in ("add", "remove"):
        raise Refused("Invalid op")
    if channel_id is not None and name is not None:
        raise Refused("Unsupported parameter combination: stream_id, stream")
    channel = name if channel_id is None else channel_id
    if channel is None:
        raise missing("stream_id")
    policy = TopicPolicy.MUTED if op == "add" else TopicPolicy.NONE
    await user_topics.choose(call.context, call.caller, channel, topic, policy)
    return success()


_TOPIC = text("topic", "The topic.", required=True, max_length=TOPIC_MAX_LENGTH)

ENDPOINTS = (
    Endpoint.post(
        "user_topics",
        choose,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Mute, unmute or follow a topic.",
        takes=(
            integer("stream_id", "The channel.", required=True),
            _TOPIC,
            choice("visibility_policy", "0 as the channel, 1 muted, 2 unmuted, 3 followed.", _POLICIES),
        ),
    ),
    Endpoint.patch(
        "users/me/subscriptions/muted_topics",
        mute,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Mute or unmute a topic: the old form of `POST user_topics`.",
        takes=(
            integer("stream_id", "The channel."),
            text("stream", "The channel's name, instead of its id."),
            _TOPIC,
            text("op", "`add` or `remove`.", required=True),
        ),
    ),
)
