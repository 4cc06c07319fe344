"""The fields of the forms for named keys: their first values, and what somebody chose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta

from keybearer.server.domain.api_keys import APIKeyRecord, checked_key_name
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import DEFAULT_SCOPES, Scope, checked_networks, checked_scopes
from keybearer.server.domain.key_policy import KeyPolicy
from keybearer.server.domain.named_keys import End, KeyChange, NewKey
from keybearer.server.web.visit import Visit
from keybearer.server.web.wording import counted

LIVES = (7, 30, 90, 365)
"""The lives that the forms offer, in days."""

USUAL_LIFE = 90
"""The life that the form for a new key proposes if the organization has no default, in days."""

AS_IT_IS, ON_A_DATE, NEVER = "", "date", "never"
"""The ends in the forms that are not a number of days."""


def _field(scope: Scope) -> str:
    """The name of the checkbox for a scope."""
    return f"scope_{(scope.name or '').lower()}"


def _boxes(scopes: Scope) -> Mapping[str, str]:
    return {_field(scope): "on" for scope in Scope if scope in scopes}


def first_values(policy: KeyPolicy) -> Mapping[str, str]:
    """The first values of the form for a new key: the default scopes, and the organization's default end or ours."""
    return {**_boxes(DEFAULT_SCOPES), "ends": str(policy.default_days or USUAL_LIFE)}


def values_of(key: APIKeyRecord) -> Mapping[str, str]:
    """The current values of a key, for the form that changes it."""
    return {**_boxes(key.scopes), "name": key.name, "ends": AS_IT_IS, "networks": ", ".join(key.networks)}


def ends(policy: KeyPolicy) -> Mapping[str, str]:
    """The ends that the organization allows a new key, by their values in the form."""
    lives = {*LIVES, *([policy.default_days] if policy.default_days else [])}
    allowed = _in_days(days for days in sorted(lives) if days <= (policy.longest_days or days))
    allowed[ON_A_DATE] = "On a date"
    if not policy.forbids_endless:
        allowed[NEVER] = "Never"
    return allowed


def earlier_ends(key: APIKeyRecord, now: datetime) -> Mapping[str, str]:
    """The ends to which a key can be changed, by their values in the form. All are before its current end."""
    at = key.expires_at
    return {**_in_days(days for days in LIVES if at is None or now + timedelta(days=days) < at), ON_A_DATE: "On a date"}


def _in_days(lives: Iterable[int]) -> dict[str, str]:
    return {str(days): f"In {counted(days, 'day')}" for days in lives}


def new_key(visit: Visit) -> NewKey:
    """The key that the form requests. Raises Refused."""
    return NewKey(name=_name(visit), scopes=_scopes(visit), end=_end(visit), networks=_networks(visit))


def key_change(visit: Visit) -> KeyChange:
    """The changes to a key in the form. Raises Refused."""
    end = None if visit.text("ends") == AS_IT_IS else _end(visit)
    return KeyChange(name=_name(visit), scopes=_scopes(visit), end=end, networks=_networks(visit))


def _name(visit: Visit) -> str:
    return checked_key_name(visit.text("name"))


def _scopes(visit: Visit) -> Scope:
    return checked_scopes((scope.name or "").lower() for scope in Scope if visit.form.get(_field(scope)) == "on")


def _networks(visit: Visit) -> tuple[str, ...]:
    return checked_networks(text for text in re.split(r"[\s,]+", visit.form.get("networks", "")) if text)


def _end(visit: Visit) -> End | timedelta | datetime:
    wanted = visit.text("ends")
    if wanted == NEVER:
        return End.NEVER
    if wanted == ON_A_DATE:
        try:
            last_day = date.fromisoformat(visit.text("last_day"))
        except ValueError:
            raise Refused("Choose the date on which the API key ends.") from None
        return datetime.combine(last_day, time.max, UTC)
    if not (wanted.isascii() and wanted.isdigit() and 0 < len(wanted) <= 4):
        raise Refused("Choose when the API key ends.")
    return timedelta(days=int(wanted))
