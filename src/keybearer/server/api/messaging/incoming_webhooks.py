"""`POST external/json` and `POST external/slack_incoming`: the URLs to which services post their reports.

They have a door of their own, which only admits the key of an incoming webhook bot, sent in a header or in the URL.
"""

from __future__ import annotations

import asyncio
from typing import NoReturn

import msgspec

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import NO_SCOPE, Scope
from keybearer.server.domain.messaging.incoming_webhooks import DEFAULT_TOPICS, json_text, slack_text, slack_topic
from keybearer.server.domain.rules import WEBHOOKS_TOO
from keybearer.server.http.body import WEBHOOK_BODY, form_kind, parse_fields
from keybearer.server.services.messaging import incoming_webhooks

MALFORMED = "Malformed JSON"


async def post_json(call: Call) -> Answer:
    """`POST external/json`."""
    value = _decoded(call.raw_body)
    try:
        content = json_text(value)
    except RecursionError:
        raise Refused(MALFORMED) from None
    await _post(call, content, DEFAULT_TOPICS["json"])
    return success()


async def post_slack(call: Call) -> Answer:
    """`POST external/slack_incoming`. A payload without a text is accepted and sent nowhere, as in Zulip."""
    body = call.raw_body
    # `curl -d` labels every body as a form.
    if form_kind(call.request) is not None and not body.lstrip().startswith(b"{"):
        body = (await asyncio.to_thread(parse_fields, body)).get("payload", "").encode()
    payload = _decoded(body)
    content = slack_text(payload)
    if content:
        await _post(call, content, slack_topic(payload) or DEFAULT_TOPICS["slack_incoming"])
    return success(ok=True)


async def refuse(_call: Call) -> NoReturn:
    """`POST external/{integration}`: the URLs of Zulip's other integrations."""
    raise Refused("This integration is not available here: use json or slack_incoming.", code="NOT_AVAILABLE")


def _decoded(body: bytes) -> object:
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(MALFORMED) from None
    return value


async def _post(call: Call, content: str, topic: str) -> None:
    channel, wanted = call.parameters.optional_text("stream"), call.parameters.optional_text("topic")
    await incoming_webhooks.post(
        call.context, call.caller, content, channel=channel, topic=topic if wanted is None else wanted
    )


ENDPOINTS = (
    Endpoint.post(
        "external/json",
        post_json,
        WEBHOOKS_TOO.may(Scope.SEND),
        WEBHOOK_BODY,
        "Post any JSON, which becomes a code block.",
        names_unsupported=False,
    ),
    Endpoint.post(
        "external/slack_incoming",
        post_slack,
        WEBHOOKS_TOO.may(Scope.SEND),
        WEBHOOK_BODY,
        "Post what Slack's incoming webhooks accept.",
        names_unsupported=False,
    ),
    Endpoint.post(
        "external/{integration}",
        refuse,
        WEBHOOKS_TOO.may(NO_SCOPE),
        WEBHOOK_BODY,
        "Refused: Zulip's other integrations.",
    ),
)
