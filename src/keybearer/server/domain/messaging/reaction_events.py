"""Reactions as Zulip's wire shows them, with messages and in events."""

from __future__ import annotations

from keybearer.server.domain.accounts import display_email
from keybearer.server.domain.event_log import Event, Recipients, Subject
from keybearer.server.domain.messaging.messages import Directory, Message, Reaction


def reaction_fields(reaction: Reaction, directory: Directory) -> dict[str, object]:
    """A reaction. The account that added it is shown in the old and the new form."""
    person = directory.accounts[reaction.account_id]
    return {
        "emoji_name": reaction.emoji_name,
        "emoji_code": reaction.emoji_code,
        "reaction_type": reaction.kind,
        "user_id": person.id,
        "user": {
            "id": person.id,
            "user_id": person.id,
            "email": display_email(person, directory.dummy_domain),
            "full_name": person.full_name,
        },
    }


def changed(op: str, reaction: Reaction, message: Message, directory: Directory, recipients: Recipients) -> Event:
    """A reaction was added (`op` is `add`) or removed (`remove`)."""
    fields = {"type": "reaction", "op": op, "message_id": reaction.message_id, **reaction_fields(reaction, directory)}
    channel_ids, message_ids, *_ = message.subject
    about = Subject(channel_ids, message_ids, addressed_ids=(reaction.account_id,))
    return Event("reaction", fields, about, recipients)
