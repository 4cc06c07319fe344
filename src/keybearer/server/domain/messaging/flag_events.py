"""Flags as Zulip's wire shows them in events."""

from __future__ import annotations

from collections.abc import Sequence

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event
from keybearer.server.domain.messaging.messages import ANY_MENTION, Flag, Marked


def changed(account_id: int, op: str, flag: Flag, message_ids: Sequence[int], unread: Sequence[Marked] = ()) -> Event:
    """An account added a flag to messages (`op` is `add`) or removed it (`remove`).

    `unread` holds the messages that it marked as unread, with their flags. Clients need their location to count them.
    """
    fields: dict[str, object] = {
        "type": "update_message_flags",
        "op": op,
        "operation": op,
        "flag": flag.wire_names[0],
        "messages": list(message_ids),
        "all": False,
    }
    if op == "remove" and flag is Flag.READ:
        fields["message_details"] = {str(message.id): _details(message, account_id) for message in unread}
    return Event("update_message_flags", fields, OPEN_TO_ALL, {account_id: ()})


def _details(message: Marked, account_id: int) -> dict[str, object]:
    details: dict[str, object]
    if message.channel_id is not None:
        details = {"type": "stream", "stream_id": message.channel_id, "topic": message.topic}
        details["unmuted_stream_msg"] = True
    else:
        details = {"type": "private", "user_ids": [each for each in message.recipient_ids if each != account_id]}
    if message.flags & ANY_MENTION:
        details["mentioned"] = True
    return details
