"""An index of named keys by who created them: those for others' bots end with the right to manage these bots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
oldest_program = "0012"


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "ix_api_keys_named_created_by",
        "api_keys",
        ["created_by"],
        sqlite_where=sa.text("is_account_key IS 0"),
        postgresql_where=sa.text("is_account_key IS false"),
    )
