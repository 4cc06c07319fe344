"""The one-time tokens of forms that were carried out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "sent_forms",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sent_forms"),
    )
    op.create_index("ix_sent_forms_sent_at", "sent_forms", ["sent_at"])
