"""Flags as Zulip's wire shows them in events."""

from __future__ import annotations

from collections.abc import Sequence

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event
from keybearer.server.domain.messaging.messages import Flag


def changed(account_id: int, op: str, flag: Flag, message_ids: Sequence[int]) -> Event:
    """An account added a flag to messages (`op` is `add`) or removed it (`remove`)."""
    fields = {
        "type": "update_message_flags",
        "op": op,
        "operation": op,
        "flag": flag.wire_names[0],
        "messages": list(message_ids),
        "all": False,
    }
    return Event("update_message_flags", fields, OPEN_TO_ALL, {account_id: ()})
