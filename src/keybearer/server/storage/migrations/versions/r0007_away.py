"""Accounts can set themselves away, and are then shown as offline."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column. No account is away at first."""
    op.add_column("statuses", sa.Column("is_away", sa.Boolean, nullable=False, server_default=sa.false()))
