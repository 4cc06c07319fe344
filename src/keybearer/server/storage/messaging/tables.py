"""The tables of channels and messages. They are in the same schema as those of keys and accounts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from keybearer.server.storage.instants import Instant
from keybearer.server.storage.tables import metadata

__all__ = ["metadata"]

_NO_REUSE: dict[str, Any] = {"sqlite_autoincrement": True}
"""Without this, SQLite would give a deleted row's id to the next row. An id stands for one thing for ever."""


def _foreign_key(target: str, name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[int]:
    return Column(
        name,
        ForeignKey(f"{target}.id", ondelete="SET NULL" if nullable else "CASCADE"),
        primary_key=primary_key,
        nullable=nullable,
    )


channels = Table(
    "channels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("realm_id", ForeignKey("realms.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("rendered_description", Text, nullable=False, server_default=""),
    Column("is_private", Boolean, nullable=False, server_default=false()),
    Column("post_policy", Integer, nullable=False, server_default="1"),
    _foreign_key("accounts", "creator_id", nullable=True),
    Column("created_at", Instant, nullable=False),
    Column("is_archived", Boolean, nullable=False, server_default=false()),
    Column("is_default", Boolean, nullable=False, server_default=false()),
    Column("first_message_id", Integer),
    UniqueConstraint("realm_id", "name_key"),
    Index(None, "creator_id"),
    **_NO_REUSE,
)

subscriptions = Table(
    "subscriptions",
    metadata,
    _foreign_key("accounts", "account_id", primary_key=True),
    _foreign_key("channels", "channel_id", primary_key=True),
    Column("color", Text, nullable=False),
    Column("is_muted", Boolean, nullable=False, server_default=false()),
    Column("pin_to_top", Boolean, nullable=False, server_default=false()),
    Column("desktop_notifications", Boolean),
    Column("audible_notifications", Boolean),
    Column("push_notifications", Boolean),
    Column("email_notifications", Boolean),
    Column("wildcard_mentions_notify", Boolean),
    Index(None, "channel_id"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("members_key", Text, nullable=False, unique=True),
    Column("members", Text),  # if they are so many that the key is a digest
    **_NO_REUSE,
)

conversation_members = Table(
    "conversation_members",
    metadata,
    _foreign_key("conversations", "conversation_id", primary_key=True),
    _foreign_key("accounts", "account_id", primary_key=True),
    Index(None, "account_id"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("realm_id", ForeignKey("realms.id"), nullable=False),
    _foreign_key("accounts", "sender_id"),
    Column("channel_id", ForeignKey("channels.id", ondelete="CASCADE")),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE")),
    Column("topic", Text, nullable=False, server_default=""),
    Column("topic_key", Text, nullable=False, server_default=""),
    Column("content", Text, nullable=False),
    Column("rendered", Text, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("client", Text, nullable=False, server_default=""),
    Column("edited_at", Instant),
    Column("edits", Text, nullable=False, server_default="[]"),
    Column("has_link", Boolean, nullable=False, server_default=false()),
    Column("has_image", Boolean, nullable=False, server_default=false()),
    Column("has_attachment", Boolean, nullable=False, server_default=false()),
    Index(None, "channel_id", "topic_key", "id"),
    Index(None, "conversation_id", "id"),
    Index(None, "sender_id", "id"),
    **_NO_REUSE,
)

copies = Table(
    "copies",
    metadata,
    _foreign_key("accounts", "account_id", primary_key=True),
    _foreign_key("messages", "message_id", primary_key=True),
    Column("flags", Integer, nullable=False),
    Index(None, "message_id"),
)

reactions = Table(
    "reactions",
    metadata,
    Column("id", Integer, primary_key=True),
    _foreign_key("messages", "message_id"),
    _foreign_key("accounts", "account_id"),
    Column("emoji_name", Text, nullable=False),
    Column("emoji_code", Text, nullable=False),
    Column("kind", Text, nullable=False),
    UniqueConstraint("message_id", "account_id", "kind", "emoji_code"),
    **_NO_REUSE,
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("path", Text, nullable=False, unique=True),
    _foreign_key("accounts", "account_id"),
    Column("name", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "account_id"),
    **_NO_REUSE,
)

# The bytes of a file. A content without an upload is still being received, or its file was deleted: nobody sees it, it
# counts against the quota, and it is deleted later. Until it is complete, `size` is the announced size.
_BELONGS_TO_NONE = text("upload_id IS NULL")
upload_contents = Table(
    "upload_contents",
    metadata,
    Column("id", Integer, primary_key=True),
    _foreign_key("accounts", "account_id"),
    Column("upload_id", ForeignKey("uploads.id", ondelete="SET NULL")),
    Column("size", Integer, nullable=False),
    Column("begun_at", Instant, nullable=False),
    UniqueConstraint("upload_id"),
    Index(None, "account_id"),
    Index(
        "ix_upload_contents_unfinished",
        "begun_at",
        sqlite_where=_BELONGS_TO_NONE,
        postgresql_where=_BELONGS_TO_NONE,
    ),
    **_NO_REUSE,
)

upload_chunks = Table(
    "upload_chunks",
    metadata,
    _foreign_key("upload_contents", "content_id", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("bytes", LargeBinary, nullable=False),
)

message_uploads = Table(
    "message_uploads",
    metadata,
    _foreign_key("messages", "message_id", primary_key=True),
    _foreign_key("uploads", "upload_id", primary_key=True),
    Index(None, "upload_id"),
)

presences = Table(
    "presences",
    metadata,
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("active_at", Instant),
    Column("seen_at", Instant, nullable=False),
    Column("client", Text, nullable=False, server_default=""),
)

statuses = Table(
    "statuses",
    metadata,
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("text", Text, nullable=False, server_default=""),
    Column("emoji_name", Text, nullable=False, server_default=""),
    Column("emoji_code", Text, nullable=False, server_default=""),
    Column("kind", Text, nullable=False, server_default=""),
    Column("is_away", Boolean, nullable=False, server_default=false()),
)

alert_words = Table(
    "alert_words",
    metadata,
    _foreign_key("accounts", "account_id", primary_key=True),
    Column("key", Text, primary_key=True),
    Column("word", Text, nullable=False),
    Column("first_token", Text, nullable=False),
    Index(None, "first_token"),
)

user_topics = Table(
    "user_topics",
    metadata,
    _foreign_key("accounts", "account_id", primary_key=True),
    _foreign_key("channels", "channel_id", primary_key=True),
    Column("topic_key", Text, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("policy", Integer, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index(None, "channel_id", "topic_key"),
)

muted_users = Table(
    "muted_users",
    metadata,
    _foreign_key("accounts", "account_id", primary_key=True),
    _foreign_key("accounts", "muted_id", primary_key=True),
    Column("muted_at", Instant, nullable=False),
    Index(None, "muted_id"),
)

bot_storage = Table(
    "bot_storage",
    metadata,
    _foreign_key("accounts", "account_id", primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("characters", Integer, nullable=False, server_default="0"),
    Index("ix_bot_storage_characters", "account_id", "characters"),
)

webhook_calls = Table(
    "webhook_calls",
    metadata,
    Column("id", Integer, primary_key=True),
    _foreign_key("accounts", "bot_id"),
    _foreign_key("messages", "message_id"),
    Column("trigger", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Instant, nullable=False),
    Index(None, "next_attempt_at"),
    Index(None, "bot_id"),
    **_NO_REUSE,
)
