"""Limits and sweeps find their rows by an index: attempts of an address, old audit records, waiting mails.

A conversation of so many people that no index can hold their ids is found by a digest of the ids.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the indexes and the column."""
    op.create_index("ix_attempts_address_at", "attempts", ["address", "at"])
    op.create_index("ix_audit_event_at", "audit", ["event", "at"])
    op.create_index("ix_mails_recipient", "mails", ["recipient"])
    op.create_index("ix_channels_creator_id", "channels", ["creator_id"])
    op.create_index("ix_uploads_account_id", "uploads", ["account_id"])
    op.add_column("conversations", sa.Column("members", sa.Text))
