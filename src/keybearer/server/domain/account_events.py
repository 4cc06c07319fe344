"""Accounts as Zulip's wire shows them, in answers and in events. Bots are in `bot_events`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from keybearer.server.domain import bot_events
from keybearer.server.domain.accounts import Account, EmailVisibility, Role, avatar_url, display_email
from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, Subject, without_flags


def profile_fields(account: Account, dummy_domain: str, *, delivery_email: str | None) -> dict[str, object]:
    """An account's profile. Never a key. `delivery_email` is None for a viewer who may not see it."""
    bot_type = account.bot_type
    is_admin, is_owner, is_guest, role = _ROLE_FIELDS[account.role]
    fields: dict[str, object] = {
        "email": display_email(account, dummy_domain),
        "user_id": account.id,
        "avatar_version": account.avatar_version,
        "is_admin": is_admin,
        "is_owner": is_owner,
        "is_guest": is_guest,
        "role": role,
        "is_bot": bot_type is not None,
        "full_name": account.full_name,
        "timezone": account.timezone,
        "is_active": account.is_active,
        "date_joined": _minute(account.date_joined),
        "delivery_email": delivery_email,
        "avatar_url": avatar_url(account),
    }
    if bot_type is not None:
        fields["bot_type"] = bot_type.value
        fields["bot_owner_id"] = account.bot_owner_id
    return fields


_ROLE_FIELDS: Mapping[Role, tuple[bool, bool, bool, int]] = {
    role: (role <= Role.ADMINISTRATOR, role == Role.OWNER, role == Role.GUEST, int(role)) for role in Role
}
"""`is_admin`, `is_owner`, `is_guest` and `role` on the wire, which every list of people has for each of them."""


@lru_cache(maxsize=1024)
def _minute(moment: datetime) -> str:
    """The same text as `moment.isoformat(timespec="minutes")` for a moment in UTC, in half the time: every `users/me`
    writes one."""
    return "%04d-%02d-%02dT%02d:%02d+00:00" % (moment.year, moment.month, moment.day, moment.hour, moment.minute)  # noqa: UP031


def person_fields(account: Account, dummy_domain: str) -> dict[str, object]:
    """An account as everybody may see it."""
    shown = account.email_visibility is EmailVisibility.EVERYONE
    fields = profile_fields(account, dummy_domain, delivery_email=account.delivery_email if shown else None)
    return fields if account.is_bot else {**fields, "profile_data": {}}


_CHANGEABLE: Mapping[str, Callable[[Account, str], object]] = {
    "full_name": lambda account, _: account.full_name,
    "role": lambda account, _: account.role.value,
    "new_email": display_email,
    "is_active": lambda account, _: account.is_active,
    "bot_owner_id": lambda account, _: account.bot_owner_id,
    "email": display_email,
    "timezone": lambda account, _: account.timezone,
    "services": lambda _account, _domain: [],
}
"""The fields of a changed account on the wire. `services` are added at delivery: see `bot_events`."""

SETTINGS: Mapping[str, str] = {
    "timezone": "timezone",
    "email_visibility": "email_address_visibility",
    "login_mails": "enable_login_emails",
}
"""The settings that people change on their own account: the field, and its name on the wire."""


def settings_fields(account: Account) -> dict[str, object]:
    """The account's own settings on the wire."""
    return {on_wire: _setting(account, name) for name, on_wire in SETTINGS.items()}


def setting_changed(account: Account, name: str) -> Event:
    """The event for an account that changed one of its own `SETTINGS`."""
    fields = {"type": "user_settings", "op": "update", "property": SETTINGS[name], "value": _setting(account, name)}
    return Event("user_settings", fields, OPEN_TO_ALL, without_flags([account.id]))


def _setting(account: Account, name: str) -> object:
    value = getattr(account, name)
    return value.value if isinstance(value, EmailVisibility) else value


@dataclass(frozen=True, slots=True)
class AccountNews:
    """What clients are told about an account: it was added (`changed` is None), or these fields changed."""

    account: Account
    changed: tuple[str, ...] | None


def events_of(news: AccountNews, *, dummy_domain: str) -> Iterator[Event]:
    """The events for everybody. For a bot, also the events for its owner and the administrators.

    No event carries a key (feature level 474).
    """
    account = news.account
    if news.changed is None:
        yield _realm_user("add", account, person_fields(account, dummy_domain))
        if account.is_bot:
            yield bot_events.added(account)
        return
    changed = {name: _CHANGEABLE[name](account, dummy_domain) for name in news.changed}
    of_user = {name: value for name, value in changed.items() if name != "services"}
    if of_user:
        yield _realm_user("update", account, {"user_id": account.id, **of_user})
    if account.is_bot:
        yield bot_events.updated(account, changed)


def _realm_user(op: str, account: Account, person: Mapping[str, object]) -> Event:
    fields = {"type": "realm_user", "op": op, "person": person}
    return Event("realm_user", fields, Subject(addressed_ids=(account.id,)))
