"""Notices: one sentence about what has just been done, shown once on the next page.

The browser only carries the notice's name in a short-lived cookie, so that a link cannot make a page show another text.
"""

from __future__ import annotations

from enum import Enum


class Notice(Enum):
    """All notices, by the name that the cookie carries."""

    SIGNED_OUT = "You are signed out."
    RESET_LINK_MADE = (
        "Since you last signed in, an administrator created a link for a new password of your account. Your security "
        "log says who and when."
    )
    WELCOME = "Your organization is ready. Here you manage your account and your API key."
    JOINED = "Welcome! Here you manage your account and your API key."
    NAME_SAVED = "Your name was changed."
    EMAIL_CHANGE_REQUESTED = (
        "Check the inbox of your new email: a link to confirm it is on its way. It works for an hour."
    )
    EMAIL_CHANGED = "Your email was changed. Other browsers were signed out."
    PASSWORD_CHANGED = "Your password was changed. Every other browser was signed out; your API key keeps working."  # noqa: S105  a sentence
    PASSWORD_AND_KEY_CHANGED = "Your password and your API key were changed. Download your zuliprc again."  # noqa: S105  a sentence
    DISPLAY_SAVED = "Your display settings were saved."
    PRIVACY_SAVED = "Your privacy settings were saved."
    ACCOUNT_DEACTIVATED = "Your account was deactivated."
    BOT_ADDED = "The bot was added. Open it to see its API key and to download its zuliprc."
    BOT_SAVED = "The bot was saved."
    BOT_HANDED_OVER = "The bot has a new owner, and a new API key: the former owner's zuliprc no longer works."
    BOT_DEACTIVATED = "The bot was deactivated. Its API key is refused from now on."
    BOT_REACTIVATED = "The bot was reactivated with a new API key: download its zuliprc again."
    KEY_SAVED = "The API key was saved."
    KEY_REVOKED = "The API key was revoked: it is refused from now on."
    SESSION_ENDED = "That browser was signed out."
    SESSIONS_ENDED = "Every other browser was signed out."
    DEVICE_REMOVED = "That mobile device no longer gets notifications."
    USER_SAVED = "The user was saved."
    USER_DEACTIVATED = "The user was deactivated: signed out everywhere, and every key of theirs is refused."
    USER_REACTIVATED = "The user was reactivated with a new API key. Their bots stay deactivated."
    INVITED = "The invitation was sent by mail."
    INVITED_AGAIN = "The invitation was sent again. The earlier link no longer works."
    INVITATION_REVOKED = "The invitation was withdrawn. Its link no longer works."
    ORGANIZATION_SAVED = "The organization was saved."
    POLICIES_SAVED = "The policies were saved."


def find_notice(name: str | None) -> Notice | None:
    """The notice with that name. None if there is none."""
    return Notice.__members__.get(name or "")
