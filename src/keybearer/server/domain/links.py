"""One-time links: what they are for and how long they live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from keybearer.server.domain.accounts import Role


class LinkPurpose(StrEnum):
    """What a link lets its holder do. It works once, except for multi-use invitations."""

    SETUP = "setup"
    INVITATION = "invitation"
    MULTIUSE_INVITATION = "multiuse_invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105  a purpose, not a password
    HAND_OVER = "hand_over"
    """For a bot: the holder of the link gets a named key of the bot."""
    EMAIL_CHANGE = "email_change"
    """Sent to a new address: the account changes to it."""
    EMAIL_UNDO = "email_undo"
    """Sent to an earlier address: the account changes back to it."""


LIFETIMES = {
    LinkPurpose.SETUP: timedelta(days=7),
    LinkPurpose.INVITATION: timedelta(days=10),
    LinkPurpose.MULTIUSE_INVITATION: timedelta(days=10),
    LinkPurpose.PASSWORD_RESET: timedelta(hours=2),
    LinkPurpose.HAND_OVER: timedelta(days=1),
    LinkPurpose.EMAIL_CHANGE: timedelta(hours=1),
    LinkPurpose.EMAIL_UNDO: timedelta(days=7),
}


INVITATIONS = (LinkPurpose.INVITATION, LinkPurpose.MULTIUSE_INVITATION)

FOR_OTHERS = (*INVITATIONS, LinkPurpose.HAND_OVER)
"""The links that people make for others. They end with the right of their maker."""

MAILED = (
    LinkPurpose.INVITATION,
    LinkPurpose.MULTIUSE_INVITATION,
    LinkPurpose.PASSWORD_RESET,
    LinkPurpose.EMAIL_CHANGE,
    LinkPurpose.EMAIL_UNDO,
)
"""Links that are sent by mail."""


@dataclass(frozen=True, slots=True)
class Joins:
    """The channels that a new person follows: these, and the default channels unless an invitation leaves them out."""

    channel_ids: tuple[int, ...] = ()
    with_defaults: bool = True


DEFAULT_CHANNELS = Joins()
"""What new people follow unless an invitation says otherwise."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link as stored. Only the people who were given it know its token.

    `made_by_link` is the multi-use invitation that requested this invitation, `created_with` the named key that the
    invitation and the account keys of those who join by it end with.
    """

    id: int
    purpose: LinkPurpose
    realm_id: int | None
    account_id: int | None
    email: str
    role: Role | None
    created_by: int | None
    created_at: datetime
    expires_at: datetime
    joins: Joins = DEFAULT_CHANNELS
    made_by_link: int | None = None
    created_with: int | None = None
