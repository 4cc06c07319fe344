"""Channels, messages and events. Moments are whole microseconds since 1970 UTC."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create all tables; tables that others refer to come first."""
    _channels()
    _subscriptions()
    _conversations()
    _conversation_members()
    _messages()
    _copies()
    _reactions()
    _event_counter()
    _events()
    _event_queues()
    _uploads()
    _message_uploads()
    _presences()
    _statuses()
    _bot_storage()
    _webhook_calls()
    _start_counting()
    _give_everybody_a_channel()


def _channels() -> None:
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("realm_id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_key", sa.Text, nullable=False),
        sa.Column("description", sa.Text, server_default="", nullable=False),
        sa.Column("rendered_description", sa.Text, server_default="", nullable=False),
        sa.Column("is_private", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("post_policy", sa.Integer, server_default="1", nullable=False),
        sa.Column("creator_id", sa.Integer),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("is_archived", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("is_default", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("first_message_id", sa.Integer),
        sa.ForeignKeyConstraint(["creator_id"], ["accounts.id"], name="fk_channels_creator_id", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["realm_id"], ["realms.id"], name="fk_channels_realm_id"),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
        sa.UniqueConstraint("realm_id", "name_key", name="uq_channels_realm_id_name_key"),
        sqlite_autoincrement=True,
    )


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("channel_id", sa.Integer, nullable=False),
        sa.Column("color", sa.Text, nullable=False),
        sa.Column("is_muted", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("pin_to_top", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("desktop_notifications", sa.Boolean),
        sa.Column("audible_notifications", sa.Boolean),
        sa.Column("push_notifications", sa.Boolean),
        sa.Column("email_notifications", sa.Boolean),
        sa.Column("wildcard_mentions_notify", sa.Boolean),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_subscriptions_account_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_subscriptions_channel_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "channel_id", name="pk_subscriptions"),
    )
    op.create_index("ix_subscriptions_channel_id", "subscriptions", ["channel_id"])


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("members_key", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.UniqueConstraint("members_key", name="uq_conversations_members_key"),
        sqlite_autoincrement=True,
    )


def _conversation_members() -> None:
    op.create_table(
        "conversation_members",
        sa.Column("conversation_id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_conversation_members_account_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_conversation_members_conversation_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("conversation_id", "account_id", name="pk_conversation_members"),
    )
    op.create_index("ix_conversation_members_account_id", "conversation_members", ["account_id"])


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("realm_id", sa.Integer, nullable=False),
        sa.Column("sender_id", sa.Integer, nullable=False),
        sa.Column("channel_id", sa.Integer),
        sa.Column("conversation_id", sa.Integer),
        sa.Column("topic", sa.Text, server_default="", nullable=False),
        sa.Column("topic_key", sa.Text, server_default="", nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("rendered", sa.Text, nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
        sa.Column("client", sa.Text, server_default="", nullable=False),
        sa.Column("edited_at", sa.BigInteger),
        sa.Column("edits", sa.Text, server_default="[]", nullable=False),
        sa.Column("has_link", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("has_image", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("has_attachment", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name="fk_messages_channel_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_messages_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["realm_id"], ["realms.id"], name="fk_messages_realm_id"),
        sa.ForeignKeyConstraint(["sender_id"], ["accounts.id"], name="fk_messages_sender_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_channel_id_topic_key_id", "messages", ["channel_id", "topic_key", "id"])
    op.create_index("ix_messages_conversation_id_id", "messages", ["conversation_id", "id"])
    op.create_index("ix_messages_sender_id_id", "messages", ["sender_id", "id"])


def _copies() -> None:
    op.create_table(
        "copies",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("message_id", sa.Integer, nullable=False),
        sa.Column("flags", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_copies_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_copies_message_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "message_id", name="pk_copies"),
    )
    op.create_index("ix_copies_message_id", "copies", ["message_id"])


def _reactions() -> None:
    op.create_table(
        "reactions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("message_id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("emoji_name", sa.Text, nullable=False),
        sa.Column("emoji_code", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_reactions_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_reactions_message_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_reactions"),
        sa.UniqueConstraint(
            "message_id", "account_id", "kind", "emoji_code", name="uq_reactions_message_id_account_id_kind_emoji_code"
        ),
        sqlite_autoincrement=True,
    )


def _event_counter() -> None:
    op.create_table(
        "event_counter",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("last_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_counter"),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("recipients", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )


def _event_queues() -> None:
    op.create_table(
        "event_queues",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("start_id", sa.Integer, nullable=False),
        sa.Column("acknowledged_id", sa.Integer, nullable=False),
        sa.Column("polled_at", sa.BigInteger, nullable=False),
        sa.Column("idle_seconds", sa.Integer, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_event_queues_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_event_queues"),
    )
    op.create_index("ix_event_queues_account_id", "event_queues", ["account_id"])


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_uploads_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.UniqueConstraint("path", name="uq_uploads_path"),
        sqlite_autoincrement=True,
    )


def _message_uploads() -> None:
    op.create_table(
        "message_uploads",
        sa.Column("message_id", sa.Integer, nullable=False),
        sa.Column("upload_id", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_message_uploads_message_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name="fk_message_uploads_upload_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id", "upload_id", name="pk_message_uploads"),
    )
    op.create_index("ix_message_uploads_upload_id", "message_uploads", ["upload_id"])


def _presences() -> None:
    op.create_table(
        "presences",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("active_at", sa.BigInteger),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("client", sa.Text, server_default="", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_presences_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", name="pk_presences"),
    )


def _statuses() -> None:
    op.create_table(
        "statuses",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, server_default="", nullable=False),
        sa.Column("emoji_name", sa.Text, server_default="", nullable=False),
        sa.Column("emoji_code", sa.Text, server_default="", nullable=False),
        sa.Column("kind", sa.Text, server_default="", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_statuses_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", name="pk_statuses"),
    )


def _bot_storage() -> None:
    op.create_table(
        "bot_storage",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_bot_storage_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "key", name="pk_bot_storage"),
    )


def _webhook_calls() -> None:
    op.create_table(
        "webhook_calls",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("bot_id", sa.Integer, nullable=False),
        sa.Column("message_id", sa.Integer, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["bot_id"], ["accounts.id"], name="fk_webhook_calls_bot_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_webhook_calls_message_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_calls"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_calls_next_attempt_at", "webhook_calls", ["next_attempt_at"])


def _start_counting() -> None:
    op.execute("INSERT INTO event_counter (id, last_id) VALUES (1, 0)")


def _give_everybody_a_channel() -> None:
    """What set-up does for a new organization, done here for an organization that is older than channels."""
    op.execute(
        "INSERT INTO channels (realm_id, name, name_key, created_at, is_default) "
        "SELECT id, 'general', 'general', created_at, true FROM realms"
    )
    op.execute(
        "INSERT INTO subscriptions (account_id, channel_id, color) "
        "SELECT accounts.id, channels.id, '#76ce90' FROM accounts "
        "JOIN channels ON channels.realm_id = accounts.realm_id WHERE accounts.bot_type IS NULL"
    )
