"""Bots as Zulip's wire shows them to people who may manage them, at registration and in events."""

from __future__ import annotations

from collections.abc import Mapping

from keybearer.server.domain.accounts import Account, avatar_url
from keybearer.server.domain.bots import RevealedService
from keybearer.server.domain.event_log import Event, Subject


def bot_fields(account: Account, service: RevealedService | None = None) -> dict[str, object]:
    """A bot, without its key (feature level 474). It includes its service's token, because `zulip-botserver` needs
    it."""
    return {
        "user_id": account.id,
        "email": account.delivery_email,
        "full_name": account.full_name,
        "bot_type": account.bot_type,
        "avatar_url": avatar_url(account),
        "default_sending_stream": None,
        "default_events_register_stream": None,
        "default_all_public_streams": False,
        "services": service_fields(service),
        "owner_id": account.bot_owner_id,
    }


def service_fields(revealed: RevealedService | None) -> list[dict[str, object]]:
    """What an outgoing webhook bot calls; empty for bots of other types."""
    if revealed is None:
        return []
    service = revealed.service
    return [{"base_url": service.base_url, "interface": service.interface.value, "token": revealed.token.reveal()}]


def has_services(event: Mapping[str, object]) -> bool:
    """Whether an event shows a bot's services. They contain a token, which no row may hold, so they are added at
    delivery."""
    bot = event.get("bot")
    return event["type"] == "realm_bot" and isinstance(bot, Mapping) and "services" in bot


def with_services(event: Mapping[str, object], revealed: RevealedService | None) -> dict[str, object]:
    """The event with the bot's services as they are now."""
    bot = event["bot"]
    assert isinstance(bot, Mapping)
    return {**event, "bot": {**bot, "services": service_fields(revealed)}}


def without_tokens(event: Mapping[str, object]) -> Mapping[str, object]:
    """The event with empty tokens, for keys that may not see tokens."""
    if not has_services(event):
        return event
    bot = event["bot"]
    assert isinstance(bot, Mapping)
    return {**event, "bot": {**bot, "services": [{**service, "token": ""} for service in bot["services"]]}}


def added(bot: Account) -> Event:
    """The event for a bot that was created."""
    return _realm_bot("add", bot, bot_fields(bot))


def updated(bot: Account, changed: Mapping[str, object]) -> Event:
    """The event for these changed fields of a bot, some of which have other names on the wire."""
    fields = {"owner_id" if name == "bot_owner_id" else name: value for name, value in changed.items()}
    return _realm_bot("update", bot, {"user_id": bot.id, **fields})


def _realm_bot(op: str, bot: Account, fields: Mapping[str, object]) -> Event:
    return Event("realm_bot", {"type": "realm_bot", "op": op, "bot": fields}, Subject(bot_id=bot.id))
