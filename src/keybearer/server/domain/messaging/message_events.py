"""Messages as Zulip's wire shows them, in answers and in events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keybearer.server.domain.accounts import avatar_url, display_email
from keybearer.server.domain.event_log import Event, Recipients, Subject
from keybearer.server.domain.messaging.messages import NO_TOPIC, Copy, Directory, Flag, Message, Reaction, brief_edits
from keybearer.server.domain.messaging.reaction_events import reaction_fields


def message_fields(message: Message, directory: Directory, reactions: tuple[Reaction, ...] = ()) -> dict[str, object]:
    """All fields of a message except its text and its flags, which differ by viewer."""
    sender = directory.accounts[message.sender_id]
    fields: dict[str, object] = {
        "id": message.id,
        "sender_id": sender.id,
        "content_type": "text/html",
        "recipient_id": message.channel_id or message.conversation_id,
        "timestamp": int(message.sent_at.timestamp()),
        "client": message.client,
        "subject": message.topic,
        "topic_links": [],
        "is_me_message": message.content.startswith("/me ") and "\n" not in message.content,
        "reactions": [reaction_fields(reaction, directory) for reaction in reactions],
        "submessages": [],
        "sender_full_name": sender.full_name,
        "sender_email": display_email(sender, directory.dummy_domain),
        "sender_realm_str": "",
        "avatar_url": avatar_url(sender),
        **recipient_fields(message, directory),
    }
    if message.edits:
        fields["edit_history"] = brief_edits(message.edits)
    # Since feature level 365 the two are separate. The newest edit comes first.
    for name, marks in (
        ("last_edit_timestamp", ("prev_content",)),
        ("last_moved_timestamp", ("prev_topic", "prev_stream")),
    ):
        newest = next((edit for edit in message.edits if any(mark in edit for mark in marks)), None)
        if newest is not None:
            fields[name] = newest["timestamp"]
    return fields


def recipient_fields(message: Message, directory: Directory) -> dict[str, object]:
    """Where a message was sent: `type`, `display_recipient`, and for a channel its id."""
    if message.channel_id is not None:
        name = directory.channel_names[message.channel_id]
        return {"type": "stream", "display_recipient": name, "stream_id": message.channel_id}
    shown = directory.people_shown.get(message.recipient_ids)
    if shown is None:
        people = [directory.accounts[account_id] for account_id in message.recipient_ids]
        shown = directory.people_shown[message.recipient_ids] = [
            {
                "id": person.id,
                "email": display_email(person, directory.dummy_domain),
                "full_name": person.full_name,
                "is_mirror_dummy": False,
            }
            for person in people
        ]
    return {"type": "private", "display_recipient": shown}


def copy_fields(copy: Copy, directory: Directory, *, as_html: bool, empty_topics: bool) -> dict[str, object]:
    """A message as one account has it, as HTML or as it was written."""
    fields = message_fields(copy.message, directory, copy.reactions)
    fields["flags"] = copy.flags.wire_names
    return with_text(fields, copy.message.content, copy.message.rendered, as_html=as_html, empty_topics=empty_topics)


def with_text(
    fields: Mapping[str, object], content: str, rendered: str, *, as_html: bool, empty_topics: bool
) -> dict[str, object]:
    """The fields with the text, as HTML or as it was written, and a name for a topic without one."""
    complete = {
        **fields,
        "content": rendered if as_html else content,
        "content_type": "text/html" if as_html else "text/x-markdown",
    }
    # A direct message has an empty subject, which stays empty.
    if complete["type"] == "stream" and not empty_topics:
        complete["subject"] = complete["subject"] or NO_TOPIC
        if "edit_history" in complete:
            edits = complete["edit_history"]
            assert isinstance(edits, Sequence)
            complete["edit_history"] = [with_named_topics(edit) for edit in edits]
    return complete


_TOPIC_FIELDS = frozenset({"topic", "topic_name", "subject", "orig_subject", "prev_topic"})


def with_named_topics(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields with Zulip's name instead of empty topics, for clients that do not know empty topics."""
    return {name: _named(name, value) for name, value in fields.items()}


def _named(name: str, value: object) -> object:
    if name in _TOPIC_FIELDS:
        return value or NO_TOPIC
    if name == "muted_topics" and isinstance(value, Sequence):
        return [[channel, topic or NO_TOPIC, *rest] for channel, topic, *rest in value]
    if isinstance(value, Mapping):
        return with_named_topics(value)
    return value


@dataclass(frozen=True, slots=True)
class Echo:
    """How the sender's client recognizes its own message: the queue for which it sent the message, and the id that it
    chose."""

    queue_id: str | None = None
    local_id: str | None = None


def sent(
    message: Message, directory: Directory, flags: Mapping[int, Flag], *, is_public: bool, echo: Echo | None
) -> Event:
    """A message was sent; `flags` are those of each account's copy."""
    fields = {
        "type": "message",
        "message": message_fields(message, directory),
        "content": message.content,
        "rendered": message.rendered,
        "is_public": is_public,
        "queue_id": echo and echo.queue_id,
        "local_id": echo and echo.local_id,
    }
    return Event("message", fields, message.subject, {each: flag.wire_names for each, flag in flags.items()})


def edited(
    before: Message, after: Message, *, by: int, at: datetime, channel_name: str | None, recipients: Recipients
) -> Event:
    """A message's text was changed. `channel_name` is None for a direct message."""
    fields = {
        **_updated(after, [after.id], by=by, at=at, channel_name=channel_name),
        "orig_content": before.content,
        "orig_rendered_content": before.rendered,
        "content": after.content,
        "rendered_content": after.rendered,
        "is_me_message": after.content.startswith("/me "),
        "prev_rendered_content_version": 1,
    }
    return Event("update_message", fields, after.subject, recipients)


def moved(
    before: Message,
    message_ids: Sequence[int],
    *,
    topic: str,
    channel_id: int,
    propagate_mode: str,
    by: int,
    at: datetime,
    channel_name: str,
    recipients: Recipients,
) -> Event:
    """Messages of one topic were moved to another topic or channel; `before` is the one that was named."""
    fields = {
        **_updated(before, message_ids, by=by, at=at, channel_name=channel_name),
        "propagate_mode": propagate_mode,
        "orig_subject": before.topic,
    }
    if topic != before.topic:
        fields |= {"subject": topic, "topic_links": []}
    if channel_id != before.channel_id:
        fields["new_stream_id"] = channel_id
    return Event("update_message", fields, Subject(_places(before, channel_id), (before.id,)), recipients)


def arrived(
    before: Message,
    message_ids: Sequence[int],
    *,
    topic: str,
    channel_id: int,
    by: int,
    at: datetime,
    channel_name: str,
    recipients: Recipients,
) -> Event:
    """The same event for people who see the messages now and did not before. It says where the messages are, not where
    they were."""
    after = replace(before, channel_id=channel_id, topic=topic)
    fields = {
        **_updated(after, message_ids, by=by, at=at, channel_name=channel_name),
        "propagate_mode": "change_one",
        "orig_subject": topic,
        "subject": topic,
        "topic_links": [],
    }
    return Event("update_message", fields, Subject((channel_id,), (before.id,)), recipients)


def _places(before: Message, channel_id: int) -> tuple[int, ...]:
    """The channels that a move is about. Only people who see both are told about both."""
    return (channel_id,) if before.channel_id in (None, channel_id) else (before.channel_id, channel_id)


def _updated(
    message: Message, message_ids: Sequence[int], *, by: int, at: datetime, channel_name: str | None
) -> dict[str, object]:
    fields: dict[str, object] = {
        "type": "update_message",
        "user_id": by,
        "rendering_only": False,
        "message_id": message.id,
        "message_ids": list(message_ids),
        "edit_timestamp": int(at.timestamp()),
        "flags": [],
    }
    if message.channel_id is not None:
        fields |= {"stream_id": message.channel_id, "stream_name": channel_name}
    return fields


def deleted(message: Message, message_ids: Sequence[int], recipients: Recipients) -> Event:
    """Messages in the same place as `message` were deleted, or moved out of the recipients' sight."""
    fields: dict[str, object] = {
        "type": "delete_message",
        "message_ids": list(message_ids),
        "message_id": message.id,
        "message_type": "private" if message.channel_id is None else "stream",
    }
    if message.channel_id is not None:
        fields |= {"stream_id": message.channel_id, "topic": message.topic}
    return Event("delete_message", fields, Subject(message.subject.channel_ids), recipients)
