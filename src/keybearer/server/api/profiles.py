"""Accounts as Zulip shows them on the wire."""

from __future__ import annotations

from keybearer.server.api.description import BOOLEAN, EMAIL, INTEGER, STRING, Schema, nullable, record
from keybearer.server.domain.account_events import profile_fields
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.realms import Realm
from keybearer.server.domain.visibility import may_see_email

PROFILE: dict[str, Schema] = {
    "email": EMAIL,
    "user_id": INTEGER,
    "avatar_version": INTEGER,
    "is_admin": BOOLEAN,
    "is_owner": BOOLEAN,
    "is_guest": BOOLEAN,
    "role": INTEGER,
    "is_bot": BOOLEAN,
    "full_name": STRING,
    "timezone": STRING,
    "is_active": BOOLEAN,
    "date_joined": STRING,
    "delivery_email": nullable(EMAIL),
    "avatar_url": STRING,
    "bot_type": INTEGER,
    "bot_owner_id": nullable(INTEGER),
    "profile_data": {"type": "object"},
}
"""The fields of `profile`."""

PERSON = record(PROFILE, optional={"bot_type", "bot_owner_id", "profile_data"})
"""An account in an answer or an event."""

OPTIONAL = frozenset({"bot_type", "bot_owner_id", "profile_data"})
"""The fields that only some accounts have."""


def profile(account: Account, viewer: Account, realm: Realm, *, with_data: bool = False) -> dict[str, object]:
    """A row of `GET /users`, as `viewer` may see it. Never a key."""
    delivery_email = account.delivery_email if may_see_email(viewer, account) else None
    row = profile_fields(account, realm.bot_domain, delivery_email=delivery_email)
    if with_data and account.bot_type is None:
        row["profile_data"] = {}
    return row
