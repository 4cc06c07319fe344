"""Alert words, topic policies and muted users; the role and channels of invitations; passwords that somebody else
set.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def _reference(table: str, name: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([name], [f"{to}.id"], name=f"fk_{table}_{name}", ondelete="CASCADE")


def upgrade() -> None:
    """Add the tables and columns."""
    op.create_table(
        "alert_words",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("word", sa.Text, nullable=False),
        sa.Column("first_token", sa.Text, nullable=False),
        _reference("alert_words", "account_id", "accounts"),
        sa.PrimaryKeyConstraint("account_id", "key", name="pk_alert_words"),
    )
    op.create_index("ix_alert_words_first_token", "alert_words", ["first_token"])
    op.create_table(
        "user_topics",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("channel_id", sa.Integer, nullable=False),
        sa.Column("topic_key", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("policy", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        _reference("user_topics", "account_id", "accounts"),
        _reference("user_topics", "channel_id", "channels"),
        sa.PrimaryKeyConstraint("account_id", "channel_id", "topic_key", name="pk_user_topics"),
    )
    op.create_index("ix_user_topics_channel_id_topic_key", "user_topics", ["channel_id", "topic_key"])
    op.create_table(
        "muted_users",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("muted_id", sa.Integer, nullable=False),
        sa.Column("muted_at", sa.BigInteger, nullable=False),
        _reference("muted_users", "account_id", "accounts"),
        _reference("muted_users", "muted_id", "accounts"),
        sa.PrimaryKeyConstraint("account_id", "muted_id", name="pk_muted_users"),
    )
    op.create_index("ix_muted_users_muted_id", "muted_users", ["muted_id"])
    op.add_column("links", sa.Column("channel_ids", sa.Text))
    op.add_column("links", sa.Column("with_default_channels", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("links", sa.Column("made_by_link", sa.Integer))
    op.add_column(
        "accounts", sa.Column("password_is_provisional", sa.Boolean, nullable=False, server_default=sa.false())
    )
