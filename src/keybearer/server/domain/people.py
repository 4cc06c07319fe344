"""What everybody may know of an account: the address to show, and where its picture is."""

from __future__ import annotations

from keybearer.server.domain.accounts import Account, EmailVisibility


def display_email(account: Account, dummy_domain: str) -> str:
    """The address that everybody may know: a dummy for people who hide theirs."""
    if account.email_visibility is EmailVisibility.EVERYONE:
        return account.delivery_email
    return f"user{account.id}@{dummy_domain}"


def avatar_url(account: Account) -> str:
    """Where the account's picture is: drawn here, nothing is asked of Gravatar."""
    return f"/avatar/{account.id}?version={account.avatar_version}"
