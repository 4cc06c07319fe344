"""Bots as Zulip's wire shows them to those who may manage them: at registration and in events alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.event_log import Event, without_flags


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


def added(bot: Account, recipients: Iterable[int]) -> Event:
    """A bot was made."""
    return _realm_bot("add", bot_fields(bot), recipients)


def updated(bot: Account, changed: Mapping[str, object], recipients: Iterable[int]) -> Event:
    """A bot changed in these fields, which have other names here where Zulip has them."""
    fields = {"owner_id" if name == "bot_owner_id" else name: value for name, value in changed.items()}
    return _realm_bot("update", {"user_id": bot.id, **fields}, recipients)


def _realm_bot(op: str, bot: Mapping[str, object], recipients: Iterable[int]) -> Event:
    return Event("realm_bot", {"type": "realm_bot", "op": op, "bot": bot}, without_flags(sorted(recipients)))
