"""Limits: how often something may be tried, and what is left of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

MOST_CONNECTIONS = 20_000
"""Connections of one worker, where the limit on its open files allows so many. Half of them may wait for events."""

UNCOUNTED_BODY = 4 * 1024
"""Bytes of each body that are always taken: room for a sign-in. How many there are is bounded by the connections."""

BODIES_IN_FLIGHT = 64 * 1024 * 1024
"""Bytes of all bodies that one worker holds at once, beyond those that are always taken."""

BODIES_OF_STRANGERS = 16 * 1024 * 1024
"""The part of it that is for requests before anybody has said who they are."""

BODIES_OF_ONE = 16 * 1024 * 1024
"""The part of it that one account may use."""

BODIES_OF_NETWORK = 4 * 1024 * 1024
"""The part of it that strangers from one network may use."""

MOST_ENTRIES = 5000
"""Entries of one list or object in a parameter: as many ids as Zulip's programs send at once."""

MOST_VALUES = 8 * MOST_ENTRIES
"""Values in one parameter, at whatever depth: 5,000 objects with a few fields each."""

MOST_TEXT = 5_000_000
"""Characters of messages in one answer: their texts, the same as HTML, and their earlier versions."""

MOST_EVENT_TEXT = 2_000_000
"""Characters of events that are read from the log at once."""

MOST_EARLIER_TEXT = 1_000_000
"""Characters of the earlier versions of one message, as text and as HTML."""

MOST_LONG_WORK = 200
"""Pieces of work that wait for the thread of a worker that does what is too long for its event loop."""

MOST_LONG_WORK_OF_ONE = 20
"""Those of them that belong to one account or address."""

MOST_ALERT_WORDS = 200
"""Alert words of one account."""

MOST_USER_TOPICS = 1000
"""Topics that one account has muted, unmuted or followed."""

MOST_MUTED_USERS = 1000
"""Accounts that one account has muted."""

MOST_DEFAULT_CHANNELS = 100
"""Channels that every new person follows."""

MOST_CHANNELS_OF_INVITATION = 200
"""Channels that an invitation names."""

MOST_MULTIUSE_INVITATIONS = 100
"""Invitations that are open at one time and that several people can use."""


class Quota(NamedTuple):
    """What a limit leaves: the `X-RateLimit-*` headers of an answer. `reset` is in seconds since 1970 UTC."""

    limit: int
    remaining: int
    reset: int

    def merged(self, other: Quota | None) -> Quota:
        """Both limits in one, as Zulip tells of several: the smaller numbers, the later time."""
        if other is None:
            return self
        return Quota(min(self.limit, other.limit), min(self.remaining, other.remaining), max(self.reset, other.reset))


class AttemptKind(StrEnum):
    """What is tried, counted in the database for every worker alike."""

    PASSWORD = "password"  # noqa: S105  a kind, not a password
    PASSWORD_RESET = "password_reset"  # noqa: S105  a kind, not a password
    PASSWORD_RESETS_OF_ADDRESS = "password_resets_of_address"  # noqa: S105  a kind, not a password
    JOINING = "joining"
    JOININGS_OF_ADDRESS = "joinings_of_address"


@dataclass(frozen=True, slots=True)
class Window:
    """At most so many within so long."""

    most: int
    within: timedelta


WINDOWS: Mapping[AttemptKind, Sequence[Window]] = {
    # Zulip's authenticate_by_username, which counts all addresses together and lets a stranger lock the owner out.
    AttemptKind.PASSWORD: (Window(5, timedelta(minutes=30)),),
    # Zulip's password_reset_form_by_email.
    AttemptKind.PASSWORD_RESET: (Window(2, timedelta(hours=1)), Window(5, timedelta(days=1))),
    # Zulip's sends_email_by_ip lets an address send 5, which an office behind one address uses up.
    AttemptKind.PASSWORD_RESETS_OF_ADDRESS: (Window(20, timedelta(days=1)),),
    # A mail to whatever address a stranger names, as for password resets.
    AttemptKind.JOINING: (Window(2, timedelta(hours=1)), Window(5, timedelta(days=1))),
    AttemptKind.JOININGS_OF_ADDRESS: (Window(20, timedelta(days=1)),),
}

LONGEST_WINDOW = max(window.within for windows in WINDOWS.values() for window in windows)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether another attempt is allowed, and what is left after it; `wait` is how long until one is allowed again."""

    allowed: bool
    quota: Quota
    wait: timedelta


def judge(windows: Sequence[Window], times: Sequence[datetime], now: datetime) -> Verdict:
    """Whether one more attempt now, after those at `times` (the oldest first), keeps within every window."""
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
