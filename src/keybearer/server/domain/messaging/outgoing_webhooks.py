"""Outgoing webhooks: what a bot's service is sent, what its answer means, and which addresses may be called."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.bots import BotService, ServiceInterface

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

ATTEMPTS = 3
LARGEST_ANSWER = 256 * 1024

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Payload:
    """What is posted to a service."""

    body: bytes
    content_type: str


def wait_before(attempt: int) -> timedelta:
    """How long to wait after an attempt that failed: 1 second, then 2, then 4."""
    return timedelta(seconds=2 ** (attempt - 1))


def may_be_called(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether a webhook may be sent to an address: a public address, or one in the networks that the operator allows.

    An IPv4 address in IPv6 form counts as the IPv4 address.
    """
    if isinstance(address, ipaddress.IPv6Address):
        hidden = address.ipv4_mapped or address.sixtofour
        if hidden is None and address in _NAT64:
            hidden = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if hidden is not None:
            return may_be_called(hidden, allowed)
    if any(address.version == network.version and address in network for network in allowed):
        return True
    return address.is_global and not address.is_multicast and not address.is_reserved


def payload(
    service: BotService, bot: Account, *, token: str, trigger: str, message: Mapping[str, object], content: str
) -> Payload | None:
    """What Zulip sends: JSON, or a form for the Slack interface. `message` is as on the wire, with its text as written.

    None for a direct message to a bot with the Slack interface, which has no form for direct messages.
    """
    if service.interface is ServiceInterface.SLACK:
        if message["type"] != "stream":
            return None
        form = {
            "token": token,
            "team_id": "T1",
            "team_domain": "keybearer",
            "channel_id": f"C{message['stream_id']}",
            "channel_name": message["display_recipient"],
            "thread_ts": message["timestamp"],
            "timestamp": message["timestamp"],
            "user_id": f"U{message['sender_id']}",
            "user_name": message["sender_full_name"],
            "text": content,
            "trigger_word": trigger,
            "service_id": bot.id,
        }
        return Payload(urlencode(form).encode(), "application/x-www-form-urlencoded")
    fields = {
        "bot_email": bot.delivery_email,
        "bot_full_name": bot.full_name,
        "data": content,
        "message": message,
        "token": token,
        "trigger": trigger,
    }
    return Payload(json.dumps(fields, ensure_ascii=False).encode(), "application/json")


class BadAnswer(ValueError):
    """A service's answer cannot be understood. The message says why."""


def reply_in(service: BotService, body: bytes) -> str | None:
    """The text that a service's answer asks to be posted; None for nothing. Raises BadAnswer."""
    if not body.strip():
        return None
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise BadAnswer("Invalid JSON in response") from None
    if not isinstance(answer, dict):
        raise BadAnswer("Invalid response format")
    if service.interface is ServiceInterface.SLACK:
        text = answer.get("text")
    elif answer.get("response_not_required"):
        return None
    else:
        text = answer.get("content", answer.get("response_string"))
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a character, which cannot be stored
        raise BadAnswer("Invalid JSON in response") from None
    return text
