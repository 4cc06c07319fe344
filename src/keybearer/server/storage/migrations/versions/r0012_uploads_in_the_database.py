"""The content of uploaded files moves into the database, in chunks. The schema also names the programs that may use it.

The files themselves are moved when a server starts, or by `keybearer admin migrate`, because that takes longer than a
transaction may.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
oldest_program = "0012"

_BELONGS_TO_NONE = sa.text("upload_id IS NULL")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "upload_contents",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("upload_id", sa.Integer),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_upload_contents"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_upload_contents_account_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name="fk_upload_contents_upload_id", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("upload_id", name="uq_upload_contents_upload_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_upload_contents_account_id", "upload_contents", ["account_id"])
    op.create_index(
        "ix_upload_contents_unfinished",
        "upload_contents",
        ["begun_at"],
        sqlite_where=_BELONGS_TO_NONE,
        postgresql_where=_BELONGS_TO_NONE,
    )
    op.create_table(
        "upload_chunks",
        sa.Column("content_id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("content_id", "number", name="pk_upload_chunks"),
        sa.ForeignKeyConstraint(
            ["content_id"], ["upload_contents.id"], name="fk_upload_chunks_content_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "oldest_program",
        sa.Column("revision", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_oldest_program"),
    )
