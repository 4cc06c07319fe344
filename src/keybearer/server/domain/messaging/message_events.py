"""A message, a reaction and a channel as Zulip's wire shows them: in answers and in events alike."""

from __future__ import annotations

from collections.abc import Mapping

from keybearer.server.domain.accounts import avatar_url, display_email
from keybearer.server.domain.messaging.channels import Channel, Followed, PostPolicy, Subscription
from keybearer.server.domain.messaging.messages import NO_TOPIC, Copy, Directory, Message, Reaction
from keybearer.server.domain.realms import SystemGroup

_POSTERS = {
    PostPolicy.EVERYONE: SystemGroup.EVERYONE,
    PostPolicy.ADMINISTRATORS: SystemGroup.ADMINISTRATORS,
    PostPolicy.FULL_MEMBERS: SystemGroup.FULL_MEMBERS,
    PostPolicy.MODERATORS: SystemGroup.MODERATORS,
}


def message_fields(message: Message, directory: Directory, reactions: tuple[Reaction, ...] = ()) -> dict[str, object]:
    """Everything of a message but its text and its flags, which differ by who looks."""
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
    if message.edited_at is not None:
        fields["last_edit_timestamp"] = int(message.edited_at.timestamp())
    if message.edits:
        fields["edit_history"] = list(message.edits)
    return fields


def recipient_fields(message: Message, directory: Directory) -> dict[str, object]:
    """Where a message went: `type`, `display_recipient`, and for a channel its id."""
    if message.channel_id is not None:
        name = directory.channel_names[message.channel_id]
        return {"type": "stream", "display_recipient": name, "stream_id": message.channel_id}
    people = [directory.accounts[account_id] for account_id in message.recipient_ids]
    return {
        "type": "private",
        "display_recipient": [
            {
                "id": person.id,
                "email": display_email(person, directory.dummy_domain),
                "full_name": person.full_name,
                "is_mirror_dummy": False,
            }
            for person in people
        ],
    }


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
    if complete["type"] == "stream" and complete["subject"] == "" and not empty_topics:
        complete["subject"] = NO_TOPIC
    return complete


def reaction_fields(reaction: Reaction, directory: Directory) -> dict[str, object]:
    """A reaction, with who made it in the old form and the new."""
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


def channel_fields(channel: Channel) -> dict[str, object]:
    """A channel for anybody who may know of it."""
    return {
        "stream_id": channel.id,
        "name": channel.name,
        "description": channel.description,
        "rendered_description": channel.rendered_description,
        "date_created": int(channel.created_at.timestamp()),
        "creator_id": channel.creator_id,
        "invite_only": channel.is_private,
        "is_web_public": False,
        "is_archived": channel.is_archived,
        "is_recently_active": True,
        "history_public_to_subscribers": True,
        "message_retention_days": None,
        "first_message_id": channel.first_message_id,
        "stream_post_policy": channel.post_policy.value,
        "is_announcement_only": channel.post_policy is PostPolicy.ADMINISTRATORS,
        "can_send_message_group": _POSTERS[channel.post_policy].value,
        "can_administer_channel_group": SystemGroup.ADMINISTRATORS.value,
        "can_add_subscribers_group": SystemGroup.MEMBERS.value,
        "can_remove_subscribers_group": SystemGroup.ADMINISTRATORS.value,
        "can_subscribe_group": SystemGroup.NOBODY.value,
        "folder_id": None,
        "topics_policy": "inherit",
        "stream_weekly_traffic": None,
        "subscriber_count": 0,
    }


def followed_fields(followed: Followed, *, with_subscribers: bool) -> dict[str, object]:
    """A channel with the subscription of who asks (if there is one) and, if wanted, its subscribers."""
    fields = channel_fields(followed.channel)
    fields["subscriber_count"] = len(followed.subscriber_ids)
    if followed.subscription is not None:
        fields |= subscription_fields(followed.subscription)
        fields["email_address"] = ""
    if with_subscribers:
        fields["subscribers"] = sorted(followed.subscriber_ids)
    return fields


def subscription_fields(subscription: Subscription) -> dict[str, object]:
    """What an account chose for a channel it follows."""
    return {
        "color": subscription.color,
        "is_muted": subscription.is_muted,
        "in_home_view": not subscription.is_muted,
        "pin_to_top": subscription.pin_to_top,
        "desktop_notifications": subscription.desktop_notifications,
        "audible_notifications": subscription.audible_notifications,
        "push_notifications": subscription.push_notifications,
        "email_notifications": subscription.email_notifications,
        "wildcard_mentions_notify": subscription.wildcard_mentions_notify,
    }
