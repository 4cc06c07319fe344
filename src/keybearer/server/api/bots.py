"""`bots`: the caller's bots and their keys."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.profiles import avatar_url
from keybearer.server.domain.bots import BotType, ServiceInterface
from keybearer.server.services import api_keys, bots
from keybearer.server.services.bots import NewBot


async def get_own(call: Call) -> Answer:
    """`GET bots`: the caller's active bots with their keys, as Zulip's clients expect them."""
    issued = await api_keys.reveal_own_bots(call.context, call.actor)
    return success(
        bots=[
            {
                "username": key.account.delivery_email,
                "full_name": key.account.full_name,
                "api_key": key.api_key.reveal(),
                "avatar_url": avatar_url(key.account),
                "default_sending_stream": None,
                "default_events_register_stream": None,
                "default_all_public_streams": False,
            }
            for key in issued
        ]
    )


async def create(call: Call) -> Answer:
    """`POST bots`."""
    parameters = call.parameters
    issued = await bots.create(
        call.context,
        call.actor,
        NewBot(
            full_name=parameters.text("full_name"),
            short_name=parameters.text("short_name"),
            bot_type=parameters.integer("bot_type", BotType.GENERIC),
            payload_url=parameters.optional_json_text("payload_url"),
            service_name=parameters.optional_text("service_name"),
            interface=parameters.integer("interface_type", ServiceInterface.GENERIC),
        ),
    )
    return success(
        user_id=issued.account.id,
        api_key=issued.api_key.reveal(),
        avatar_url=avatar_url(issued.account),
        default_sending_stream=None,
        default_events_register_stream=None,
        default_all_public_streams=False,
    )


async def get_key(call: Call) -> Answer:
    """`GET bots/{bot_id}/api_key`, since feature level 463."""
    issued = await api_keys.reveal_bot(call.context, call.actor, call.id("bot_id"))
    return success(api_key=issued.api_key.reveal())


async def regenerate_key(call: Call) -> Answer:
    """`POST bots/{bot_id}/api_key/regenerate`."""
    issued = await api_keys.regenerate_bot(call.context, call.actor, call.id("bot_id"))
    return success(api_key=issued.api_key.reveal())
