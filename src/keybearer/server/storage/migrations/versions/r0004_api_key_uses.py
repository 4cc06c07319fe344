"""The uses of keys move into their own table, so that recording a use never waits for a change of the key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COLUMNS = tuple(f"{kind}_used_{part}" for kind in ("last", "late") for part in ("at", "address", "client"))


def upgrade() -> None:
    """Create the table, with a row for each key, and drop the columns that it replaces."""
    op.create_table(
        "api_key_uses",
        sa.Column("key_id", sa.Integer, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("last_used_address", sa.Text, server_default="", nullable=False),
        sa.Column("last_used_client", sa.Text, server_default="", nullable=False),
        sa.Column("late_used_at", sa.BigInteger),
        sa.Column("late_used_address", sa.Text, server_default="", nullable=False),
        sa.Column("late_used_client", sa.Text, server_default="", nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_api_key_uses_key_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_key_uses"),
    )
    names = ", ".join(_COLUMNS)
    op.execute(f"INSERT INTO api_key_uses (key_id, {names}) SELECT id, {names} FROM api_keys")  # noqa: S608  the names are constants
    for name in _COLUMNS:
        op.drop_column("api_keys", name)
