"""Named keys: an account may have several, with scopes, an end and networks. Also the organization's policy about
them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_IS_LIVE = sa.text("revoked_at IS NULL AND is_account_key")


def upgrade() -> None:
    """Add the columns. Every existing key is the account key of its account, with all scopes."""
    op.add_column("api_keys", sa.Column("is_account_key", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("api_keys", sa.Column("scopes", sa.Integer, nullable=False, server_default="15"))
    op.add_column("api_keys", sa.Column("networks", sa.Text, nullable=False, server_default=""))
    op.add_column("api_keys", sa.Column("created_with", sa.Integer))
    op.add_column("api_keys", sa.Column("replaced_by", sa.Integer))
    op.add_column("api_keys", sa.Column("end_mails", sa.Integer, nullable=False, server_default="0"))
    op.drop_index("uq_api_keys_live", "api_keys")
    op.create_index(
        "uq_api_keys_live", "api_keys", ["account_id"], unique=True, sqlite_where=_IS_LIVE, postgresql_where=_IS_LIVE
    )
    op.create_index("ix_api_keys_created_with", "api_keys", ["created_with"])
    op.create_index("ix_api_keys_replaced_by", "api_keys", ["replaced_by"])
    op.create_index("ix_api_keys_expires_at", "api_keys", ["expires_at"])
    op.add_column("realms", sa.Column("longest_key_days", sa.Integer))
    op.add_column("realms", sa.Column("default_key_days", sa.Integer))
    op.add_column("realms", sa.Column("keys_must_end", sa.Boolean, nullable=False, server_default=sa.false()))
