"""Invitations know the named key that they were sent with: they end with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
oldest_program = "0012"


def upgrade() -> None:
    """Add the column and its index."""
    op.add_column("links", sa.Column("created_with", sa.Integer))
    op.create_index("ix_links_created_with", "links", ["created_with"])
