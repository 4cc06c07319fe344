"""What the caps of a person and their bots count: the size of what bots store, and the calls that wait for a bot."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
oldest_program = "0012"


def upgrade() -> None:
    """Add the column, fill it, and create the indexes."""
    op.add_column("bot_storage", sa.Column("characters", sa.Integer, nullable=False, server_default="0"))
    op.execute("UPDATE bot_storage SET characters = length(key) + length(value)")
    op.create_index("ix_bot_storage_characters", "bot_storage", ["account_id", "characters"])
    op.create_index("ix_webhook_calls_bot_id", "webhook_calls", ["bot_id"])
