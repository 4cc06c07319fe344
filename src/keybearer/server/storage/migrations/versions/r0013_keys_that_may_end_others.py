"""An index of the keys with which others may end: those that are live, and named keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
oldest_program = "0012"


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "ix_api_keys_may_end_others",
        "api_keys",
        ["account_id"],
        sqlite_where=sa.text("revoked_at IS NULL OR is_account_key IS 0"),
        postgresql_where=sa.text("revoked_at IS NULL OR is_account_key IS false"),
    )
