"""The first schema. Moments are whole microseconds since 1970 UTC."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables; tables that others refer to come first."""
    _realms()
    _accounts()
    _api_keys()
    _bot_services()
    _mails()
    _attempts()
    _audit()
    _devices()
    _links()
    _sessions()


def _realms() -> None:
    op.create_table(
        "realms",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("description", sa.Text, server_default="", nullable=False),
        sa.Column("is_active", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("can_create_bots", sa.Integer, nullable=False),
        sa.Column("can_create_write_only_bots", sa.Integer, nullable=False),
        sa.Column("can_invite", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_realms"),
        sqlite_autoincrement=True,
    )


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("realm_id", sa.Integer, nullable=False),
        sa.Column("delivery_email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False),
        sa.Column("full_name", sa.Text, nullable=False),
        sa.Column("role", sa.Integer, nullable=False),
        sa.Column("is_active", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("bot_type", sa.Integer),
        sa.Column("bot_owner_id", sa.Integer),
        sa.Column("password_hash", sa.Text),
        sa.Column("date_joined", sa.BigInteger, nullable=False),
        sa.Column("timezone", sa.Text, server_default="", nullable=False),
        sa.Column("avatar_version", sa.Integer, server_default="1", nullable=False),
        sa.Column("email_visibility", sa.Integer, server_default="1", nullable=False),
        sa.Column("login_mails", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bot_owner_id"], ["accounts.id"], name="fk_accounts_bot_owner_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["realm_id"], ["realms.id"], name="fk_accounts_realm_id"),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("realm_id", "email_key", name="uq_accounts_realm_id_email_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_accounts_bot_owner_id", "accounts", ["bot_owner_id"])


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Integer),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("revoked_by", sa.Integer),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("last_used_address", sa.Text, server_default="", nullable=False),
        sa.Column("last_used_client", sa.Text, server_default="", nullable=False),
        sa.Column("late_used_at", sa.BigInteger),
        sa.Column("late_used_address", sa.Text, server_default="", nullable=False),
        sa.Column("late_used_client", sa.Text, server_default="", nullable=False),
        sa.Column("secret_id", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_api_keys_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["created_by"], ["accounts.id"], name="fk_api_keys_created_by", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["revoked_by"], ["accounts.id"], name="fk_api_keys_revoked_by", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_keys_account_id_created_at", "api_keys", ["account_id", "created_at"])
    op.create_index(
        "uq_api_keys_live",
        "api_keys",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def _bot_services() -> None:
    op.create_table(
        "bot_services",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("base_url", sa.Text, nullable=False),
        sa.Column("interface", sa.Integer, nullable=False),
        sa.Column("secret_id", sa.Text, nullable=False),
        sa.Column("sealed_token", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_bot_services_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", name="pk_bot_services"),
    )


def _mails() -> None:
    op.create_table(
        "mails",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger, nullable=False),
        sa.Column("is_given_up", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mails_next_attempt_at", "mails", ["next_attempt_at"])


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attempts_at", "attempts", ["at"])
    op.create_index("ix_attempts_kind_subject_address_at", "attempts", ["kind", "subject", "address", "at"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("realm_id", sa.Integer),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Integer),
        sa.Column("subject_id", sa.Integer),
        sa.Column("address", sa.Text, server_default="", nullable=False),
        sa.Column("client", sa.Text, server_default="", nullable=False),
        sa.Column("details", sa.Text, server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["accounts.id"], name="fk_audit_actor_id", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["realm_id"], ["realms.id"], name="fk_audit_realm_id"),
        sa.ForeignKeyConstraint(["subject_id"], ["accounts.id"], name="fk_audit_subject_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_actor_id_at", "audit", ["actor_id", "at"])
    op.create_index("ix_audit_realm_id_at", "audit", ["realm_id", "at"])
    op.create_index("ix_audit_subject_id_at", "audit", ["subject_id", "at"])


def _devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("token_digest", sa.LargeBinary, nullable=False),
        sa.Column("app_id", sa.Text, server_default="", nullable=False),
        sa.Column("registered_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_devices_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("account_id", "kind", "token_digest", name="uq_devices_account_id_kind_token_digest"),
        sqlite_autoincrement=True,
    )


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("realm_id", sa.Integer),
        sa.Column("account_id", sa.Integer),
        sa.Column("email", sa.Text, server_default="", nullable=False),
        sa.Column("role", sa.Integer),
        sa.Column("created_by", sa.Integer),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_links_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["created_by"], ["accounts.id"], name="fk_links_created_by", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["realm_id"], ["realms.id"], name="fk_links_realm_id"),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
        sa.UniqueConstraint("digest", name="uq_links_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_links_account_id", "links", ["account_id"])


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger),
        sa.Column("address", sa.Text, server_default="", nullable=False),
        sa.Column("client", sa.Text, server_default="", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sessions_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
