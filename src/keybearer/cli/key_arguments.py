"""The arguments of the commands about keys: scopes, lifetimes and overlaps."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import click

SCOPES = ("read", "send", "manage", "keys")
NEVER = "never"

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_scopes(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> list[str] | None:
    """Scopes with commas between them; None if the option was not given."""
    found = [scope.strip() for value in values for scope in value.split(",")]
    wrong = [scope for scope in found if scope not in SCOPES]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not a scope. The scopes are {', '.join(SCOPES)}.")
    return list(dict.fromkeys(found)) or None


def read_life(context: click.Context, option: click.Parameter, value: str | None) -> int | str | None:
    """`90d` or `90`, a date such as 2027-01-31, or `never`; as `create_api_key()` takes it."""
    if value is None or value == NEVER:
        return value
    days = re.fullmatch(r"([1-9][0-9]{0,4})d?", value)
    if days:
        return int(days[1])
    try:
        left = (date.fromisoformat(value) - datetime.now(UTC).date()).days
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a number of days such as 90d, a date such as 2027-01-31, or never."
        ) from None
    if left < 1:
        raise click.BadParameter(f"{value} is not in the future.")
    return left


def read_overlap(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """`1h`, `30m`, `90s` or seconds; in seconds."""
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([smhd]?)", value)
    if not found:
        raise click.BadParameter(f"{value!r} is not a time such as 1h, 30m or 90s.")
    return int(found[1]) * _SECONDS[found[2] or "s"]
