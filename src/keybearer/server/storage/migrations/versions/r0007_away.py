"""Accounts say that they are away, and are shown as offline."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the mark, which nobody has."""
    op.add_column("statuses", sa.Column("is_away", sa.Boolean, nullable=False, server_default=sa.false()))
