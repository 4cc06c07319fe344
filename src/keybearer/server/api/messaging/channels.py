"""`streams`: the channels and their properties."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

from keybearer.server.api import pieces
from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import BOOLEAN, INTEGER, STRING, array, boolean, encoded, record, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging.channel_settings import TAKES, WantedPosting, check_fixed, read_posting
from keybearer.server.api.messaging.shapes import CHANNEL, SUBSCRIPTION
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.channel_events import channel_fields, followed_fields
from keybearer.server.domain.messaging.channels import Followed, PostPolicy
from keybearer.server.domain.messaging.messages import NO_TOPIC
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import channels
from keybearer.server.services.messaging.channels import ChannelChange


async def get_all(call: Call) -> Answer:
    """`GET streams`."""
    parameters = call.parameters
    public = parameters.optional_boolean("include_public") is not False
    subscribed = parameters.optional_boolean("include_subscribed") is not False
    everything = parameters.optional_boolean("include_all") or parameters.optional_boolean("include_all_active")
    default, of_owner = (parameters.optional_boolean(f"include_{name}") for name in ("default", "owner_subscribed"))
    readable = parameters.optional_boolean("include_can_access_content")
    archived_too = parameters.optional_boolean("exclude_archived") is False
    known = await channels.find_known(call.context, call.caller, archived_too=archived_too)
    chosen = [
        each
        for each in known
        if everything
        or (public and not each.channel.is_private)
        or (subscribed and each.subscription is not None)
        or (default and each.channel.is_default)
        or (of_owner and each.owner_follows)
        or (readable and (not each.channel.is_private or each.subscription is not None))
    ]

    def row(each: Followed) -> dict[str, object]:
        fields = channel_fields(each.channel)
        fields["subscriber_count"] = each.subscriber_count
        return {**fields, "is_default": each.channel.is_default} if default else fields

    return success(streams=await paced(row, chosen))


async def get_one(call: Call) -> Answer:
    """`GET streams/{stream_id}`."""
    found = await channels.find(call.context, call.caller, call.id("stream_id"))
    return success(stream={**channel_fields(found.channel), "subscriber_count": found.subscriber_count})


async def get_id(call: Call) -> Answer:
    """`GET get_stream_id`."""
    channel = await channels.find_by_name(call.context, call.caller, call.parameters.text("stream"))
    return success(stream_id=channel.id)


async def get_topics(call: Call) -> Answer:
    """`GET users/me/{stream_id}/topics`."""
    empty_topics = bool(call.parameters.optional_boolean("allow_empty_topic_name"))

    def row(topic: tuple[str, int]) -> dict[str, object]:
        name, newest_id = topic
        return {"name": name if name or empty_topics else NO_TOPIC, "max_id": newest_id}

    async with call.context.long_answers.turn(call.caller.account.person_id):
        found = await channels.find_topics(call.context, call.caller, call.id("stream_id"))
        return success(topics=await pieces.encoded(await paced(row, found)))


async def get_members(call: Call) -> Answer:
    """`GET streams/{stream_id}/members`."""
    return success(subscribers=sorted(await channels.find_subscribers(call.context, call.caller, call.id("stream_id"))))


async def change(call: Call) -> Answer:
    """`PATCH streams/{stream_id}`. The old forms of the parameters are JSON-encoded texts."""
    parameters = call.parameters
    check_fixed(parameters)
    posting, announcing = read_posting(parameters), parameters.optional_boolean("is_announcement_only")
    if announcing is not None:
        posting = WantedPosting(PostPolicy.ADMINISTRATORS if announcing else PostPolicy.EVERYONE)
    wanted = ChannelChange(
        name=_unquoted(parameters.optional_text("new_name")),
        description=_unquoted(parameters.optional_text("description")),
        is_private=parameters.optional_boolean("is_private"),
        post_policy=posting.policy,
        post_policy_before=posting.before,
        is_default=parameters.optional_boolean("is_default_stream"),
    )
    await channels.change(call.context, call.caller, call.id("stream_id"), wanted)
    return success()


def _unquoted(text: str | None) -> str | None:
    return text[1:-1] if text and len(text) > 1 and text[0] == text[-1] == '"' else text


async def archive(call: Call) -> Answer:
    """`DELETE streams/{stream_id}`."""
    await channels.archive(call.context, call.caller, call.id("stream_id"))
    return success()


async def get_followed(call: Call) -> Answer:
    """`GET users/me/subscriptions`."""
    with_subscribers = bool(_include_subscribers(call.parameters.optional_json("include_subscribers")))
    turn = call.context.long_answers.turn(call.caller.account.person_id) if with_subscribers else nullcontext()
    async with turn:
        found = await channels.find_followed(call.context, call.caller, with_subscribers=with_subscribers)
        rows = await paced(partial(followed_fields, with_subscribers=with_subscribers), found)
        return success(subscriptions=await pieces.encoded(rows))


def _include_subscribers(value: object) -> object:
    if value is not None and not isinstance(value, bool) and value != "partial":
        raise Refused("include_subscribers is not a boolean")
    return value


async def is_follower(call: Call) -> Answer:
    """`GET users/{user_id}/subscriptions/{stream_id}`."""
    user_id, channel_id = call.id("user_id"), call.id("stream_id")
    return success(is_subscribed=await channels.is_follower(call.context, call.caller, user_id, channel_id))


ENDPOINTS = (
    Endpoint.get(
        "streams",
        get_all,
        EVERYBODY.may(Scope.READ),
        "The channels that the caller may know about.",
        takes=(
            boolean("include_public", "Whether to return public channels (default: true)."),
            boolean("include_subscribed", "Whether to return channels that the caller follows (default: true)."),
            boolean("include_all", "Whether to return every channel that the caller may know about."),
            boolean("include_all_active", "The same under its old name."),
            boolean("exclude_archived", "Whether to leave out archived channels (default: true)."),
            boolean("include_default", "Whether to return the default channels in any case, marked as such."),
            boolean("include_owner_subscribed", "Whether to return channels that a bot's owner follows."),
            boolean("include_can_access_content", "Whether to return channels whose messages the caller may read."),
        ),
        gives={"streams": array(CHANNEL)},
    ),
    Endpoint.get(
        "get_stream_id",
        get_id,
        EVERYBODY.may(Scope.READ),
        "The id of a channel, by its name.",
        takes=(text("stream", "The channel's name.", required=True),),
        gives={"stream_id": INTEGER},
    ),
    Endpoint.get("streams/{stream_id}", get_one, EVERYBODY.may(Scope.READ), "One channel.", gives={"stream": CHANNEL}),
    Endpoint.patch(
        "streams/{stream_id}",
        change,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Rename, describe or restrict a channel.",
        takes=(
            text("new_name", "The new name."),
            text("description", "What it is for."),
            boolean("is_private", "Whether only its subscribers know about it."),
            *TAKES,
            boolean(
                "is_announcement_only", "The oldest form of saying whether only administrators may post, or everyone."
            ),
            boolean("is_default_stream", "Whether new people follow it."),
        ),
    ),
    Endpoint.delete("streams/{stream_id}", archive, EVERYBODY.may(Scope.MANAGE), FORM, "Archive a channel."),
    Endpoint.get(
        "streams/{stream_id}/members",
        get_members,
        EVERYBODY.may(Scope.READ),
        "The subscribers of a channel.",
        gives={"subscribers": array(INTEGER)},
    ),
    Endpoint.get(
        "users/me/subscriptions",
        get_followed,
        EVERYBODY.may(Scope.READ),
        "The channels that the caller is subscribed to.",
        takes=(encoded("include_subscribers", "Whether to return their subscribers too.", {}),),
        gives={"subscriptions": array(SUBSCRIPTION)},
    ),
    Endpoint.get(
        "users/me/{stream_id}/topics",
        get_topics,
        EVERYBODY.may(Scope.READ),
        "The topics of a channel, the newest first.",
        takes=(boolean("allow_empty_topic_name", "Whether the client supports empty topics."),),
        gives={"topics": array(record({"name": STRING, "max_id": INTEGER}))},
    ),
    Endpoint.get(
        "users/{user_id}/subscriptions/{stream_id}",
        is_follower,
        EVERYBODY.may(Scope.READ),
        "Whether somebody is subscribed to a channel.",
        gives={"is_subscribed": BOOLEAN},
    ),
)
