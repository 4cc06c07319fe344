"""The tables. The migrations create the schema, and a test compares the two."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from keybearer.server.storage.instants import Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _account(name: str, *, nullable: bool = False, on_delete: str = "CASCADE") -> Column[int]:
    return Column(name, ForeignKey("accounts.id", ondelete=on_delete), nullable=nullable)


_NO_REUSE: dict[str, Any] = {"sqlite_autoincrement": True}
"""Without this, SQLite would give a deleted row's id to the next row. An id stands for one thing for ever."""

realms = Table(
    "realms",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column("can_create_bots", Integer, nullable=False),
    Column("can_create_write_only_bots", Integer, nullable=False),
    Column("can_invite", Integer, nullable=False),
    Column("longest_key_days", Integer),
    Column("default_key_days", Integer),
    Column("keys_must_end", Boolean, nullable=False, server_default=false()),
    Column("created_at", Instant, nullable=False),
    **_NO_REUSE,
)

accounts = Table(
    "accounts",
    metadata,
    _id(),
    Column("realm_id", ForeignKey("realms.id"), nullable=False),
    Column("delivery_email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("full_name", Text, nullable=False),
    Column("role", Integer, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column("bot_type", Integer),
    _account("bot_owner_id", nullable=True, on_delete="SET NULL"),
    Column("password_hash", Text),
    Column("password_is_provisional", Boolean, nullable=False, server_default=false()),
    Column("date_joined", Instant, nullable=False),
    Column("timezone", Text, nullable=False, server_default=""),
    Column("avatar_version", Integer, nullable=False, server_default="1"),
    Column("email_visibility", Integer, nullable=False, server_default="1"),
    Column("login_mails", Boolean, nullable=False, server_default=true()),
    UniqueConstraint("realm_id", "email_key"),
    Index(None, "bot_owner_id"),
    **_NO_REUSE,
)

bot_services = Table(
    "bot_services",
    metadata,
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("interface", Integer, nullable=False),
    Column("secret_id", Text, nullable=False),
    Column("sealed_token", LargeBinary, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _account("account_id"),
    Column("name", Text, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    _account("created_by", nullable=True, on_delete="SET NULL"),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    _account("revoked_by", nullable=True, on_delete="SET NULL"),
    Column("secret_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("sealed", LargeBinary),  # for account keys only: a named key is stored as a digest
    Column("is_account_key", Boolean, nullable=False, server_default=true()),
    Column("scopes", Integer, nullable=False, server_default="15"),
    Column("networks", Text, nullable=False, server_default=""),
    # Ids of other keys: the key that created this one, and the key that replaced it.
    Column("created_with", Integer),
    Column("replaced_by", Integer),
    Column("end_mails", Integer, nullable=False, server_default="0"),
    # The database itself forbids two live account keys of one account, whatever the code above it does.
    Index(
        "uq_api_keys_live",
        "account_id",
        unique=True,
        sqlite_where=text("revoked_at IS NULL AND is_account_key"),
        postgresql_where=text("revoked_at IS NULL AND is_account_key"),
    ),
    Index(
        "ix_api_keys_may_end_others",
        "account_id",
        sqlite_where=text("revoked_at IS NULL OR is_account_key IS 0"),
        postgresql_where=text("revoked_at IS NULL OR is_account_key IS false"),
    ),
    Index(
        "ix_api_keys_named_created_by",
        "created_by",
        sqlite_where=text("is_account_key IS 0"),
        postgresql_where=text("is_account_key IS false"),
    ),
    # Everything that verifying a key reads of it, so that SQLite reads no row of the table for this.
    Index(
        "ix_api_keys_lookup",
        "digest",
        "account_id",
        "revoked_at",
        "expires_at",
        "is_account_key",
        "scopes",
        "networks",
    ).ddl_if(dialect="sqlite"),
    Index(None, "created_with"),
    Index(None, "replaced_by"),
    Index(None, "expires_at"),
    Index(None, "account_id", "created_at"),
    **_NO_REUSE,
)

# One row for each key, created with it. It is a separate table so that recording a use never waits for a change of the
# key.
api_key_uses = Table(
    "api_key_uses",
    metadata,
    Column("key_id", ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
    Column("last_used_at", Instant),
    Column("last_used_address", Text, nullable=False, server_default=""),
    Column("last_used_client", Text, nullable=False, server_default=""),
    Column("late_used_at", Instant),
    Column("late_used_address", Text, nullable=False, server_default=""),
    Column("late_used_client", Text, nullable=False, server_default=""),
)

sessions = Table(
    "sessions",
    metadata,
    _id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    _account("account_id"),
    Column("created_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("confirmed_at", Instant),
    Column("address", Text, nullable=False, server_default=""),
    Column("client", Text, nullable=False, server_default=""),
    Index(None, "account_id"),
    **_NO_REUSE,
)

devices = Table(
    "devices",
    metadata,
    _id(),
    _account("account_id"),
    Column("kind", Text, nullable=False),
    Column("token", Text, nullable=False),
    # PostgreSQL cannot index a text of 4096 characters, so uniqueness is checked on its SHA-256.
    Column("token_digest", LargeBinary, nullable=False),
    Column("app_id", Text, nullable=False, server_default=""),
    Column("registered_at", Instant, nullable=False),
    UniqueConstraint("account_id", "kind", "token_digest"),
    **_NO_REUSE,
)

audit = Table(
    "audit",
    metadata,
    _id(),
    Column("realm_id", ForeignKey("realms.id")),
    Column("at", Instant, nullable=False),
    Column("event", Text, nullable=False),
    _account("actor_id", nullable=True, on_delete="SET NULL"),
    _account("subject_id", nullable=True, on_delete="SET NULL"),
    Column("address", Text, nullable=False, server_default=""),
    Column("client", Text, nullable=False, server_default=""),
    Column("details", Text, nullable=False, server_default="{}"),
    Index(None, "realm_id", "at"),
    Index(None, "subject_id", "at"),
    Index(None, "actor_id", "at"),
    Index(None, "event", "at"),
    **_NO_REUSE,
)

links = Table(
    "links",
    metadata,
    _id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("purpose", Text, nullable=False),
    Column("realm_id", ForeignKey("realms.id")),
    _account("account_id", nullable=True),
    Column("email", Text, nullable=False, server_default=""),
    Column("role", Integer),
    _account("created_by", nullable=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("channel_ids", Text),
    Column("with_default_channels", Boolean, nullable=False, server_default=true()),
    Column("made_by_link", Integer),
    Column("created_with", Integer),
    Index(None, "account_id"),
    Index(None, "created_with"),
    **_NO_REUSE,
)

attempts = Table(
    "attempts",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "kind", "subject", "address", "at"),
    Index(None, "address", "at"),
    Index(None, "at"),
    **_NO_REUSE,
)

# The one-time tokens of forms that were carried out, until they are too old to be sent again.
sent_forms = Table(
    "sent_forms",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("sent_at", Instant, nullable=False),
    Index(None, "sent_at"),
)

mails = Table(
    "mails",
    metadata,
    _id(),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),  # empty if the text is sealed: only older mails have their text here
    Column("secret_id", Text),
    Column("sealed_body", LargeBinary),
    Column("created_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Instant, nullable=False),
    Column("is_given_up", Boolean, nullable=False, server_default=false()),
    Index(None, "next_attempt_at"),
    Index(None, "recipient"),
    **_NO_REUSE,
)

# Whoever writes events locks its one row until they commit, so that numbers become visible in order: a reader that has
# seen a number has seen all numbers before it.
event_counter = Table(
    "event_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last_id", Integer, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("recipients", Text),
    Column("about", Text, nullable=False, server_default=""),
)

event_queues = Table(
    "event_queues",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("start_id", Integer, nullable=False),
    Column("acknowledged_id", Integer, nullable=False),
    Column("polled_at", Instant, nullable=False),
    Column("idle_seconds", Integer, nullable=False),
    Column("options", Text, nullable=False),
    Index(None, "account_id"),
)

oldest_program = Table(
    "oldest_program",
    metadata,
    Column("revision", Text, primary_key=True),
)
"""The oldest program that may use this schema, as the newest migration step that it knows: one row."""

known_secrets = Table(
    "known_secrets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
)
"""The fingerprints of the secrets that the server has had, which distinguish secrets with the same id."""
