"""Shows times that a server has sent."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(seconds: float) -> str:
    """Unix seconds as a time in the time zone of this machine. A number that is too large for one is shown as it is."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, OSError, ValueError):
        return str(seconds)
