"""Bots as Zulip's wire shows them to those who may manage them: at registration and in events alike."""

from __future__ import annotations

from collections.abc import Mapping

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.event_log import Event, Subject


def bot_fields(account: Account) -> dict[str, object]:
    """A bot, without its key (feature level 474)."""
    return {
        "user_id": account.id,
        "default_sending_stream": None,
        "default_events_register_stream": None,
        "default_all_public_streams": False,
        "services": [],
        "owner_id": account.bot_owner_id,
    }


def added(bot: Account) -> Event:
    """A bot was made."""
    return _realm_bot("add", bot, bot_fields(bot))


def updated(bot: Account, changed: Mapping[str, object]) -> Event:
    """A bot changed in these fields, which have other names here where Zulip has them."""
    fields = {"owner_id" if name == "bot_owner_id" else name: value for name, value in changed.items()}
    return _realm_bot("update", bot, {"user_id": bot.id, **fields})


def _realm_bot(op: str, bot: Account, fields: Mapping[str, object]) -> Event:
    return Event("realm_bot", {"type": "realm_bot", "op": op, "bot": fields}, Subject(bot_id=bot.id))
