"""`bots`: the caller's bots and their keys."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import (
    API_KEY,
    BOOLEAN,
    EMAIL,
    INTEGER,
    NULL,
    STRING,
    Schema,
    array,
    choice,
    conditional,
    encoded,
    integer,
    nullable,
    record,
    text,
)
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.parameters import Parameters
from keybearer.server.domain.accounts import Role, avatar_url
from keybearer.server.domain.bots import BotType, ServiceInterface, checked_payload_url
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.rules import MEMBERS
from keybearer.server.domain.visibility import shown_email
from keybearer.server.http.body import FORM, PICTURE
from keybearer.server.services import api_keys, bots
from keybearer.server.services.bots import BotChange, NewBot

_DEFAULTS: dict[str, object] = {
    "default_sending_stream": None,
    "default_events_register_stream": None,
    "default_all_public_streams": False,
}


async def get_own(call: Call) -> Answer:
    """`GET bots`: the caller's active bots with their keys, as Zulip's clients expect them.

    A bot without a key has no `api_key`, like every bot in Zulip since feature level 474.
    """
    return success(
        bots=[
            {
                "username": bot.account.delivery_email,
                "full_name": bot.account.full_name,
                **({} if bot.api_key is None else {"api_key": bot.api_key.reveal()}),
                "avatar_url": avatar_url(bot.account),
                **_DEFAULTS,
            }
            for bot in await api_keys.reveal_own_bots(call.context, call.caller)
        ]
    )


async def create(call: Call) -> Answer:
    """`POST bots`."""
    parameters = call.parameters
    new = NewBot(
        full_name=parameters.text("full_name"),
        short_name=parameters.text("short_name"),
        bot_type=parameters.integer("bot_type", BotType.GENERIC),
        payload_url=_payload_url(parameters, "payload_url"),
        service_name=parameters.optional_text("service_name", max_length=100),
        interface=parameters.integer("interface_type", ServiceInterface.GENERIC),
        pictures=len(parameters.files),
        default_channels=_default_channels(parameters),
    )
    if new.bot_type != BotType.OUTGOING_WEBHOOK:
        parameters.disclaim("payload_url", "service_name", "interface_type")
    parameters.optional_dict("config_data")  # only embedded bots have a configuration
    issued = await bots.create(call.context, call.caller, new)
    return success(
        user_id=issued.account.id,
        api_key=issued.api_key.reveal(),
        avatar_url=avatar_url(issued.account),
        **_DEFAULTS,
    )


async def change(call: Call) -> Answer:
    """`PATCH bots/{bot_id}`."""
    parameters = call.parameters
    wanted = BotChange(
        full_name=parameters.optional_text("full_name"),
        short_name=parameters.optional_text("short_name"),
        role=parameters.choice("role", tuple(role.value for role in Role)),
        owner_id=parameters.optional_integer("bot_owner_id"),
        payload_url=_payload_url(parameters, "service_payload_url"),
        interface=parameters.optional_integer("service_interface"),
        pictures=len(parameters.files),
        default_channels=_default_channels(parameters),
    )
    parameters.optional_dict("config_data")
    details = await bots.change_bot(call.context, call.caller, call.id("bot_id"), wanted)
    service = details.service
    return success(
        full_name=details.account.full_name,
        avatar_url=avatar_url(details.account),
        service_interface=ServiceInterface.GENERIC if service is None else service.interface,
        service_payload_url=None if service is None else service.base_url,
        config_data=None,
        **_DEFAULTS,
        bot_owner=None
        if details.owner is None
        else shown_email(call.caller.account, details.owner, call.realm.bot_domain),
    )


def _payload_url(parameters: Parameters, name: str) -> str | None:
    url = parameters.optional_json_text(name)
    return None if url is None else checked_payload_url(url, name=name)


def _default_channels(parameters: Parameters) -> list[str]:
    """The names of the channels with which a bot should start. An empty name is left out."""
    names = ("default_sending_stream", "default_events_register_stream")
    return [channel for name in names if (channel := parameters.optional_text(name))]


async def deactivate(call: Call) -> Answer:
    """`DELETE bots/{bot_id}`."""
    await bots.deactivate(call.context, call.caller, call.id("bot_id"))
    return success()


async def get_key(call: Call) -> Answer:
    """`GET bots/{bot_id}/api_key`, since feature level 463."""
    issued = await api_keys.reveal_bot(call.context, call.caller, call.id("bot_id"))
    return success(api_key=issued.api_key.reveal())


async def regenerate_key(call: Call) -> Answer:
    """`POST bots/{bot_id}/api_key/regenerate`."""
    issued = await api_keys.regenerate_bot(call.context, call.caller, call.id("bot_id"))
    return success(api_key=issued.api_key.reveal())


_ROLES = tuple(role.value for role in Role)
_PARAMETERS = (
    encoded(
        "config_data", "The configuration of an embedded bot. For other types it is only checked.", {"type": "object"}
    ),
    text("default_sending_stream", "Not supported: bots here have no such channels."),
    text("default_events_register_stream", "Not supported: bots here have no such channels."),
)
_DEFAULTS_SHAPE: dict[str, Schema] = {
    "default_sending_stream": NULL,
    "default_events_register_stream": NULL,
    "default_all_public_streams": BOOLEAN,
}
_BOT = record(
    {"username": EMAIL, "full_name": STRING, "api_key": API_KEY, "avatar_url": STRING, **_DEFAULTS_SHAPE},
    optional={"api_key"},
)

ENDPOINTS = (
    Endpoint.get(
        "bots",
        get_own,
        MEMBERS.may(Scope.KEYS),
        "One's own active bots, with their API keys. A bot whose key was revoked has no `api_key`.",
        gives={"bots": array(_BOT)},
    ),
    Endpoint.post(
        "bots",
        create,
        MEMBERS.may(Scope.KEYS),
        PICTURE,
        "Create a bot.",
        takes=(
            text("full_name", "Its name.", required=True),
            text("short_name", "The part of its address before `-bot@`.", required=True),
            integer("bot_type", "1 generic, 2 incoming webhook, 3 outgoing webhook."),
            conditional(encoded("payload_url", "The URL to which an outgoing webhook posts.", STRING)),
            conditional(text("service_name", "The name of an outgoing webhook.", max_length=100)),
            conditional(integer("interface_type", "The format of an outgoing webhook's payload: 1 generic, 2 Slack.")),
            *_PARAMETERS,
        ),
        gives={"user_id": INTEGER, "api_key": API_KEY, "avatar_url": STRING, **_DEFAULTS_SHAPE},
    ),
    Endpoint.patch(
        "bots/{bot_id}",
        change,
        MEMBERS.may(Scope.MANAGE),
        PICTURE,
        "Change a bot. With a new owner, it gets a new API key. Owner and `service_payload_url` need the scope `keys`.",
        takes=(
            text("full_name", "Its name."),
            text("short_name", "The part of its address before `-bot@`."),
            choice("role", "Its role.", _ROLES),
            integer("bot_owner_id", "The new owner."),
            encoded("service_payload_url", "The URL to which an outgoing webhook posts.", STRING),
            integer("service_interface", "The format of an outgoing webhook's payload: 1 generic, 2 Slack."),
            *_PARAMETERS,
        ),
        gives={
            "full_name": STRING,
            "avatar_url": STRING,
            "service_interface": INTEGER,
            "service_payload_url": nullable(STRING),
            "config_data": NULL,
            **_DEFAULTS_SHAPE,
            "bot_owner": nullable(EMAIL),
        },
    ),
    Endpoint.delete("bots/{bot_id}", deactivate, MEMBERS.may(Scope.MANAGE), FORM, "Deactivate a bot."),
    Endpoint.get(
        "bots/{bot_id}/api_key", get_key, MEMBERS.may(Scope.KEYS), "A bot's API key.", gives={"api_key": API_KEY}
    ),
    Endpoint.post(
        "bots/{bot_id}/api_key/regenerate",
        regenerate_key,
        MEMBERS.may(Scope.KEYS),
        FORM,
        "Replace a bot's API key. The old key and all named keys of the bot end at once.",
        gives={"api_key": API_KEY},
    ),
)
