"""Shows users of the server to people and programs."""

from __future__ import annotations

from keybearer.client.models.accounts import User

ROLES = {100: "owner", 200: "administrator", 300: "moderator", 400: "member", 600: "guest"}
BOT_TYPES = {1: "generic", 2: "incoming-webhook", 3: "outgoing-webhook", 4: "embedded"}


def kind_of(user: User) -> str:
    """`owner`, `guest`, `generic bot`, ..."""
    if user.is_bot:
        return f"{BOT_TYPES.get(user.bot_type or 0, 'unknown')} bot"
    flags = {"owner": user.is_owner, "administrator": user.is_admin, "guest": user.is_guest}
    by_flag = next((role for role, is_so in flags.items() if is_so), "member")  # servers from before 2021 send no role
    return ROLES.get(user.role or 0, by_flag)


def email_of(user: User) -> str:
    """The email in the account's zuliprc."""
    return user.delivery_email or user.email


def as_json(user: User) -> dict[str, object]:
    """A user as JSON, for programs."""
    return {
        "user_id": user.user_id,
        "email": email_of(user),
        "full_name": user.full_name,
        "kind": kind_of(user),
        "is_bot": user.is_bot,
        "is_active": user.is_active,
    }
