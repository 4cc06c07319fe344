"""`channels/create`: create a channel."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import INTEGER, array, boolean, encoded, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging.channel_settings import NOTICES, TAKES, check_fixed, read_notices, read_posting
from keybearer.server.api.messaging.narrows import checked_people
from keybearer.server.api.parameters import missing
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.channels import PostPolicy
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import subscriptions
from keybearer.server.services.messaging.subscriptions import NewChannel


async def create(call: Call) -> Answer:
    """`POST channels/create`."""
    parameters = call.parameters
    subscriber_ids = parameters.optional_integers("subscribers")
    if subscriber_ids is None:
        raise missing("subscribers")
    check_fixed(parameters)
    posting = read_posting(parameters).policy
    new = NewChannel(
        name=parameters.text("name"),
        description=parameters.optional_text("description") or "",
        is_private=bool(parameters.optional_boolean("invite_only")),
        post_policy=posting or PostPolicy.EVERYONE,
        is_default=bool(parameters.optional_boolean("is_default_stream")),
    )
    read_notices(parameters)
    people = checked_people("subscribers", subscriber_ids)
    made = await subscriptions.create(call.context, call.caller, new, people)
    return success(id=made.id)


ENDPOINTS = (
    Endpoint.post(
        "channels/create",
        create,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Create a channel.",
        takes=(
            text("name", "Its name.", required=True),
            encoded("subscribers", "The ids of the accounts that follow it.", array(INTEGER)),
            text("description", "What it is for."),
            boolean("invite_only", "Whether it is private."),
            boolean("is_default_stream", "Whether new people follow it."),
            *TAKES,
            *NOTICES,
        ),
        gives={"id": INTEGER},
    ),
)
