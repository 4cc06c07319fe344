"""What everybody may know of an account: where its picture is."""

from __future__ import annotations

from keybearer.server.domain.accounts import Account


def avatar_url(account: Account) -> str:
    """Where the account's picture is: drawn here, nothing is asked of Gravatar."""
    return f"/avatar/{account.id}?version={account.avatar_version}"
