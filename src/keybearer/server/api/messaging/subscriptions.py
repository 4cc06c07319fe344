"""`users/me/subscriptions`: follow channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import BOOLEAN, STRING, array, boolean, by_key, encoded
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging.channel_settings import NOTICES, TAKES, check_fixed, read_notices, read_posting
from keybearer.server.api.messaging.narrows import PRINCIPALS, STRINGS, read_people, read_strings
from keybearer.server.api.parameters import Parameters, missing
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.channels import PostPolicy
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import subscriptions
from keybearer.server.services.messaging.subscriptions import NewChannel


async def follow(call: Call) -> Answer:
    """`POST users/me/subscriptions`."""
    return success(await _follow(call, call.parameters.optional_json("subscriptions"), "subscriptions"))


async def _follow(call: Call, wanted: object, name: str, *, leaving: Sequence[str] = ()) -> dict[str, object]:
    parameters = call.parameters
    if wanted is None:
        raise missing(name)
    changes, people = await subscriptions.follow(
        call.context,
        call.caller,
        [_read_new_channel(parameters, each, name) for each in _read_list(wanted, name)],
        principals=read_people(parameters, "principals"),
        authorization_errors_fatal=parameters.optional_boolean("authorization_errors_fatal") is not False,
        leaving=leaving,
    )
    fields: dict[str, object] = {
        "subscribed": {str(each): [channel.name for channel in changes.subscribed[each]] for each in people
                       if changes.subscribed[each]},
        "already_subscribed": {str(each): [channel.name for channel in changes.already[each]] for each in people
                               if changes.already[each]},
        "new_subscription_messages_sent": False,
    }  # fmt: skip
    if changes.unauthorized:
        fields["unauthorized"] = list(changes.unauthorized)
    if leaving:
        fields |= {"removed": changes.removed, "not_removed": changes.not_removed}
    return fields


def _read_list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Refused(f"{name} is not a list")
    return value


def _read_new_channel(parameters: Parameters, value: object, name: str) -> NewChannel:
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise Refused(f"{name} has an entry without a name")
    description, color = value.get("description", ""), value.get("color")
    if not isinstance(description, str) or not (color is None or isinstance(color, str)):
        raise Refused(f"{name} has an entry with a wrong type")
    check_fixed(parameters)
    read_notices(parameters)
    return NewChannel(
        name=value["name"],
        description=description,
        color=color,
        is_private=bool(parameters.optional_boolean("invite_only")),
        post_policy=read_posting(parameters).policy or PostPolicy.EVERYONE,
        is_default=bool(parameters.optional_boolean("is_default_stream")),
    )


async def unfollow(call: Call) -> Answer:
    """`DELETE users/me/subscriptions`."""
    names = read_strings(call.parameters, "subscriptions")
    if names is None:
        raise missing("subscriptions")
    principals = read_people(call.parameters, "principals")
    removed, not_removed = await subscriptions.unfollow(call.context, call.caller, names, principals=principals)
    return success(removed=removed, not_removed=not_removed)


async def change(call: Call) -> Answer:
    """`PATCH users/me/subscriptions`: leave some channels, follow others."""
    names = read_strings(call.parameters, "delete") or []
    wanted = call.parameters.optional_json("add")
    if not names and not wanted:
        raise Refused('Nothing to do. Specify at least one of "add" or "delete".')
    fields: dict[str, object] = {"subscribed": {}, "already_subscribed": {}, "removed": [], "not_removed": []}
    if wanted:
        return success(fields | await _follow(call, wanted, "add", leaving=names))
    fields["removed"], fields["not_removed"] = await subscriptions.unfollow(call.context, call.caller, names)
    return success(fields)


async def choose(call: Call) -> Answer:
    """`POST users/me/subscriptions/properties`."""
    value = call.parameters.optional_json("subscription_data")
    if value is None:
        raise missing("subscription_data")
    choices = []
    for each in _read_list(value, "subscription_data"):
        if not isinstance(each, Mapping) or not {"stream_id", "property", "value"} <= each.keys():
            raise Refused("subscription_data has an entry without stream_id, property and value")
        if not isinstance(each["stream_id"], int) or not isinstance(each["property"], str):
            raise Refused("subscription_data has an entry with a wrong type")
        choices.append((each["stream_id"], each["property"], each["value"]))
    await subscriptions.choose(call.context, call.caller, choices)
    return success()


_FOLLOWING = (
    PRINCIPALS,
    boolean(
        "authorization_errors_fatal",
        "Whether to refuse the whole request if the caller may not subscribe to one of the channels.",
    ),
    boolean("invite_only", "Whether created channels are private."),
    boolean("is_default_stream", "Whether new people are subscribed to created channels."),
    *TAKES,
    *NOTICES,
)
_BY_ACCOUNT = by_key(array(STRING))

ENDPOINTS = (
    Endpoint.post(
        "users/me/subscriptions",
        follow,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Subscribe to channels. Missing channels are created.",
        takes=(encoded("subscriptions", 'The channels, as `[{"name": "general"}]`.', array({})), *_FOLLOWING),
        gives={
            "subscribed": _BY_ACCOUNT,
            "already_subscribed": _BY_ACCOUNT,
            "new_subscription_messages_sent": BOOLEAN,
            "unauthorized": STRINGS,
        },
        optional=frozenset({"unauthorized"}),
    ),
    Endpoint.patch(
        "users/me/subscriptions",
        change,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Unsubscribe from some channels and subscribe to others.",
        takes=(
            encoded("add", "The channels to subscribe to, as for POST.", array({})),
            encoded("delete", "The names of the channels to unsubscribe from.", STRINGS),
            *_FOLLOWING,
        ),
        gives={
            "subscribed": _BY_ACCOUNT,
            "already_subscribed": _BY_ACCOUNT,
            "removed": STRINGS,
            "not_removed": STRINGS,
            "new_subscription_messages_sent": BOOLEAN,
            "unauthorized": STRINGS,
        },
        optional=frozenset({"new_subscription_messages_sent", "unauthorized"}),
    ),
    Endpoint.delete(
        "users/me/subscriptions",
        unfollow,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Unsubscribe from channels.",
        takes=(encoded("subscriptions", "Their names.", STRINGS), PRINCIPALS),
        gives={"removed": STRINGS, "not_removed": STRINGS},
    ),
    Endpoint.post(
        "users/me/subscriptions/properties",
        choose,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Change the color, muting, pinning or notifications of channels that the caller is subscribed to.",
        takes=(encoded("subscription_data", "What to change: `stream_id`, `property`, `value`.", array({})),),
    ),
)
