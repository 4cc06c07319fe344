"""Waiting mails are sealed, because a link in one is as good as a password. Mails that already wait stay as they
are.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the sealed text, and the secret with which it is sealed."""
    op.add_column("mails", sa.Column("secret_id", sa.Text))
    op.add_column("mails", sa.Column("sealed_body", sa.LargeBinary))
