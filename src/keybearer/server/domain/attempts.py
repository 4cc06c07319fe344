"""Attempts: how often somebody may try a password, or something that sends a mail to an address of their choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from keybearer.server.domain.limits import Quota


class AttemptKind(StrEnum):
    """What is attempted. The database counts attempts, so all workers share the count."""

    PASSWORD = "password"  # noqa: S105  a kind, not a password
    SIGN_IN = "sign_in"
    """Not counted, only remembered: from where an account signed in."""
    ACCOUNTS_OF_ADDRESS = "accounts_of_address"
    """Not stored: the accounts for which an address failed, read from the rows of `PASSWORD`."""
    PASSWORD_RESET = "password_reset"  # noqa: S105  a kind, not a password
    PASSWORD_RESETS_OF_ADDRESS = "password_resets_of_address"  # noqa: S105  a kind, not a password
    EMAIL_CHANGE = "email_change"
    KEY_REVOCATIONS = "key_revocations"
    """Keys that somebody revokes by sending them."""
    JOINING = "joining"
    JOININGS_OF_ADDRESS = "joinings_of_address"


@dataclass(frozen=True, slots=True)
class Window:
    """At most this many attempts within this time."""

    most: int
    within: timedelta


WINDOWS: Mapping[AttemptKind, Sequence[Window]] = {
    # Zulip's authenticate_by_username counts all addresses together, so that a stranger can lock the owner out.
    AttemptKind.PASSWORD: (Window(5, timedelta(minutes=30)),),
    # Against trying a few passwords for each of many accounts. An office behind one address has fewer people who
    # mistype their password and did not recently sign in from there.
    AttemptKind.ACCOUNTS_OF_ADDRESS: (Window(20, timedelta(minutes=30)),),
    # Zulip's password_reset_form_by_email.
    AttemptKind.PASSWORD_RESET: (Window(2, timedelta(hours=1)), Window(5, timedelta(days=1))),
    # Zulip's sends_email_by_ip lets an address send 5. An office behind one address uses them up.
    AttemptKind.PASSWORD_RESETS_OF_ADDRESS: (Window(20, timedelta(days=1)),),
    # Zulip's email_change_by_user.
    AttemptKind.EMAIL_CHANGE: (Window(2, timedelta(hours=1)), Window(5, timedelta(days=1))),
    # A scan of a large repository finds a few dozen.
    AttemptKind.KEY_REVOCATIONS: (Window(100, timedelta(hours=1)),),
    # Each one sends a mail to any address that a stranger names, as with password resets.
    AttemptKind.JOINING: (Window(2, timedelta(hours=1)), Window(5, timedelta(days=1))),
    AttemptKind.JOININGS_OF_ADDRESS: (Window(20, timedelta(days=1)),),
}

LONGEST_WINDOW = max(window.within for windows in WINDOWS.values() for window in windows)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether another attempt is allowed, and how many are left after it. `wait` is the time until one is allowed
    again."""

    allowed: bool
    quota: Quota
    wait: timedelta


def judge(windows: Sequence[Window], times: Sequence[datetime], now: datetime) -> Verdict:
    """Whether one more attempt now, after those at `times` (oldest first), stays within every window."""
    allowed, quota, wait = True, None, timedelta(0)
    for window in windows:
        within = [at for at in times if at > now - window.within]
        if len(within) >= window.most:
            allowed = False
            wait = max(wait, within[-window.most] + window.within - now)
        oldest = within[0] if within else now
        left = max(0, window.most - len(within) - 1)
        quota = Quota(window.most, left, int((oldest + window.within).timestamp())).merged(quota)
    assert quota is not None
    return Verdict(allowed, quota, wait)


@dataclass(frozen=True, slots=True)
class PasswordHistory:
    """What is remembered about an account at an address: when it failed, and when it last signed in (None: not
    recently).

    `others` holds when the address last failed for each other account.
    """

    own: Sequence[datetime] = ()
    others: Sequence[datetime] = ()
    signed_in_at: datetime | None = None


def judge_password(history: PasswordHistory, now: datetime) -> Verdict:
    """Whether one more password may be tried.

    No limit counts an account's failures at other addresses: a stranger could use such a limit to lock out the owner.
    An account that recently signed in from this address is not refused because of what other people there do.
    """
    own = judge(WINDOWS[AttemptKind.PASSWORD], history.own, now)
    if not own.allowed or history.signed_in_at is not None:
        return own
    spread = judge(WINDOWS[AttemptKind.ACCOUNTS_OF_ADDRESS], history.others, now)
    return own if spread.allowed else spread
