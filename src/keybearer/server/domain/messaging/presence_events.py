"""Presence, status and typing as Zulip's wire shows them, in answers and in events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from keybearer.server.domain.accounts import Account, display_email
from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, Recipients, Subject, without_flags
from keybearer.server.domain.messaging.messages import Message
from keybearer.server.domain.messaging.presences import OFFLINE_AFTER, Presence, Present, Status
from keybearer.server.domain.pacing import paced

Fields = dict[str, object]


async def presence_fields(present: Iterable[Present], dummy_domain: str, *, slim: bool) -> Fields:
    """Everybody's presence: by id in the modern form (`slim`), or by email address in the form of old clients."""
    if slim:
        return dict(await paced(lambda each: (str(each[1].id), _times(each[0])), present))
    return dict(await paced(lambda each: (display_email(each[1], dummy_domain), _old_form(each[0])), present))


def one_presence_fields(presence: Presence, now: datetime) -> Fields:
    """One account's presence, as `GET users/{id}/presence` shows it. An account that was not seen lately is offline."""
    row = {"status": _status(presence), "timestamp": int(presence.seen_at.timestamp())}
    aggregated = {**row, "status": "offline"} if now - presence.seen_at > OFFLINE_AFTER else row
    return {"aggregated": aggregated, "website": row}


def _status(presence: Presence) -> str:
    return "active" if presence.is_active else "idle"


def _times(presence: Presence) -> Fields:
    times: Fields = {"idle_timestamp": int(presence.seen_at.timestamp())}
    return times if presence.active_at is None else {**times, "active_timestamp": int(presence.active_at.timestamp())}


def _old_form(presence: Presence) -> Fields:
    """Since feature level 178 there is one row, called `website`, whatever program was seen."""
    row = {"client": "website", "status": _status(presence), "timestamp": int(presence.seen_at.timestamp())}
    return {"aggregated": row, "website": {**row, "pushable": False}}


def status_fields(status: Status) -> Fields:
    """An account's status. Empty parts are left out."""
    return {name: value for name, value in _all_status_fields(status).items() if value}


def _all_status_fields(status: Status) -> Fields:
    return {
        "status_text": status.text,
        "emoji_name": status.emoji_name,
        "emoji_code": status.emoji_code,
        "reaction_type": status.kind,
        "away": status.is_away,
    }


def seen(account: Account, presence: Presence, *, dummy_domain: str) -> Event:
    """An account reported that it is present. `simplified` is for clients that know the form of feature level 419."""
    fields = {
        "type": "presence",
        "user_id": account.id,
        "email": display_email(account, dummy_domain),
        "server_timestamp": presence.seen_at.timestamp(),
        "presence": {"website": _old_form(presence)["website"]},
        "simplified": {"type": "presence", "presences": {str(account.id): _times(presence)}},
    }
    return Event("presence", fields, Subject(addressed_ids=(account.id,)))


def status_changed(status: Status) -> Event:
    """An account changed its status. Empty parts are sent as empty."""
    fields = {"type": "user_status", "user_id": status.account_id, **_all_status_fields(status)}
    return Event("user_status", fields, OPEN_TO_ALL)


def typing_to_people(op: str, sender: Account, people: Iterable[Account], dummy_domain: str) -> Event:
    """Somebody began (`op` is `start`) or stopped (`stop`) to write to these people, who include the sender."""
    everybody = list(people)
    fields = {
        "type": "typing",
        "op": op,
        "message_type": "direct",
        "sender": _typist(sender, dummy_domain),
        "recipients": [_typist(person, dummy_domain) for person in everybody],
    }
    recipients = without_flags(person.id for person in everybody if person.is_active)
    return Event("typing", fields, Subject(addressed_ids=tuple(person.id for person in everybody)), recipients)


def typing_in_channel(
    op: str, sender: Account, *, channel_id: int, topic: str, subscribers: Iterable[int], dummy_domain: str
) -> Event:
    """Somebody began (`op` is `start`) or stopped (`stop`) to write in a topic."""
    fields = {
        "type": "typing",
        "op": op,
        "message_type": "stream",
        "sender": _typist(sender, dummy_domain),
        "stream_id": channel_id,
        "topic": topic,
    }
    about = Subject((channel_id,), addressed_ids=(sender.id,))
    return Event("typing", fields, about, without_flags(sorted(subscribers)))


def typing_in_message(op: str, message: Message, recipients: Recipients) -> Event:
    """The author of a message began (`op` is `start`) or stopped (`stop`) to edit it."""
    if message.channel_id is None:
        place: Fields = {"type": "direct", "user_ids": list(message.recipient_ids)}
    else:
        place = {"type": "channel", "channel_id": message.channel_id, "topic": message.topic}
    fields = {
        "type": "typing_edit_message",
        "op": op,
        "sender_id": message.sender_id,
        "message_id": message.id,
        "recipient": place,
    }
    return Event("typing_edit_message", fields, message.subject, recipients)


def _typist(account: Account, dummy_domain: str) -> Fields:
    return {"user_id": account.id, "email": display_email(account, dummy_domain)}
