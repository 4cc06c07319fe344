"""Two indexes of keys: of those with which others may end, and on SQLite one with all that verifying a key reads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
oldest_program = "0012"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index(
        "ix_api_keys_may_end_others",
        "api_keys",
        ["account_id"],
        sqlite_where=sa.text("revoked_at IS NULL OR is_account_key IS 0"),
        postgresql_where=sa.text("revoked_at IS NULL OR is_account_key IS false"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_api_keys_lookup",
            "api_keys",
            ["digest", "account_id", "revoked_at", "expires_at", "is_account_key", "scopes", "networks"],
        )
