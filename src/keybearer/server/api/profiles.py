"""Accounts as Zulip shows them on the wire."""

from __future__ import annotations

from datetime import datetime

from keybearer.server.api.description import BOOLEAN, EMAIL, INTEGER, STRING, Schema, nullable
from keybearer.server.domain.accounts import Account, Role, avatar_url, display_email
from keybearer.server.domain.permissions import may_see_email
from keybearer.server.domain.realms import Realm

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

OPTIONAL = frozenset({"bot_type", "bot_owner_id", "profile_data"})
"""Those that only some accounts have."""


def _minute(moment: datetime) -> str:
    """`moment.isoformat(timespec="minutes")` of a moment in UTC, in half its time: every request by key writes one."""
    return "%04d-%02d-%02dT%02d:%02d+00:00" % (moment.year, moment.month, moment.day, moment.hour, moment.minute)  # noqa: UP031


def profile(account: Account, viewer: Account, realm: Realm, *, with_data: bool = False) -> dict[str, object]:
    """A row of `GET /users`, as `viewer` may see it. Never a key."""
    role = account.role
    row: dict[str, object] = {
        "email": display_email(account, realm.bot_domain),
        "user_id": account.id,
        "avatar_version": account.avatar_version,
        "is_admin": account.is_administrator,
        "is_owner": account.is_owner,
        "is_guest": role == Role.GUEST,
        "role": int(role),
        "is_bot": account.is_bot,
        "full_name": account.full_name,
        "timezone": account.timezone,
        "is_active": account.is_active,
        "date_joined": _minute(account.date_joined),
        "delivery_email": account.delivery_email if may_see_email(viewer, account) else None,
        "avatar_url": avatar_url(account),
    }
    if account.bot_type is not None:
        row["bot_type"] = account.bot_type.value
        row["bot_owner_id"] = account.bot_owner_id
    elif with_data:
        row["profile_data"] = {}
    return row
