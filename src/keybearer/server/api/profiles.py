"""Accounts as Zulip shows them on the wire."""

from __future__ import annotations

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.permissions import may_see_email
from keybearer.server.domain.realms import Realm


def avatar_url(account: Account) -> str:
    """Where the account's picture is: drawn here, nothing is asked of Gravatar."""
    return f"/avatar/{account.id}?version={account.avatar_version}"


def display_email(account: Account, realm: Realm) -> str:
    """The address that everybody may know: a dummy for people who hide theirs."""
    if account.email_visibility == 1:
        return account.delivery_email
    return f"user{account.id}@{realm.bot_domain}"


def profile(account: Account, viewer: Account, realm: Realm) -> dict[str, object]:
    """A row of `GET /users`, as `viewer` may see it. Never a key."""
    row: dict[str, object] = {
        "email": display_email(account, realm),
        "user_id": account.id,
        "avatar_version": account.avatar_version,
        "is_admin": account.is_administrator,
        "is_owner": account.is_owner,
        "is_guest": account.role == 600,
        "role": account.role.value,
        "is_bot": account.is_bot,
        "full_name": account.full_name,
        "timezone": account.timezone,
        "is_active": account.is_active,
        "date_joined": f"{account.date_joined:%Y-%m-%dT%H:%M}+00:00",
        "delivery_email": account.delivery_email if may_see_email(viewer, account) else None,
        "avatar_url": avatar_url(account),
    }
    if account.is_bot:
        row["bot_type"] = account.bot_type
        row["bot_owner_id"] = account.bot_owner_id
    return row
