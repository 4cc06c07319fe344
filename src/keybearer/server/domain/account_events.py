"""What clients are told when an account changes: the events that follow from what the audit log remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from keybearer.server.domain.accounts import Account, Role, avatar_url, display_email
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.event_queues import ACCESS_CHANGED, Event

ENDS_POLLS = frozenset(
    {
        AuditEvent.API_KEY_REGENERATED,
        AuditEvent.ACCOUNT_DEACTIVATED,
        AuditEvent.SESSION_CLOSED,
        AuditEvent.PASSWORD_CHANGED,
    }
)
"""What makes an account's open polls be checked anew: the key or session may be dead, or the account itself."""

TOLD = ENDS_POLLS | {
    AuditEvent.ACCOUNT_CREATED,
    AuditEvent.BOT_CREATED,
    AuditEvent.ACCOUNT_RENAMED,
    AuditEvent.ACCOUNT_ROLE_CHANGED,
    AuditEvent.ACCOUNT_EMAIL_CHANGED,
    AuditEvent.ACCOUNT_REACTIVATED,
    AuditEvent.BOT_CHANGED,
    AuditEvent.BOT_OWNER_CHANGED,
}


@dataclass(frozen=True, slots=True)
class AccountChange:
    """Something that happened to an account, by its name in the audit log."""

    what: AuditEvent
    account: Account


def events_of(change: AccountChange, *, administrator_ids: Sequence[int], dummy_domain: str) -> Iterator[Event]:
    """The events that tell of the change. No event carries a key (feature level 474)."""
    account, what = change.account, change.what
    if what in ENDS_POLLS:
        yield Event(ACCESS_CHANGED, {"account_id": account.id}, {})
    if what in (AuditEvent.ACCOUNT_CREATED, AuditEvent.BOT_CREATED):
        yield Event("realm_user", {"type": "realm_user", "op": "add", "person": person_fields(account, dummy_domain)})
    changed = _changed(change, dummy_domain)
    if changed:
        yield Event("realm_user", {"type": "realm_user", "op": "update", "person": {"user_id": account.id, **changed}})
    if account.is_bot and (changed or what is AuditEvent.BOT_CREATED):
        interested = {*administrator_ids} | ({account.bot_owner_id} if account.bot_owner_id else set())
        recipients: dict[int, Sequence[str]] = dict.fromkeys(sorted(interested), ())
        if what is AuditEvent.BOT_CREATED:
            yield Event("realm_bot", {"type": "realm_bot", "op": "add", "bot": bot_fields(account)}, recipients)
        else:
            bot = {"user_id": account.id, **changed}
            if "bot_owner_id" in bot:
                bot["owner_id"] = bot.pop("bot_owner_id")
            yield Event("realm_bot", {"type": "realm_bot", "op": "update", "bot": bot}, recipients)


def _changed(change: AccountChange, dummy_domain: str) -> dict[str, object]:
    fields = _CHANGED.get(change.what)
    return {} if fields is None else fields(change.account, dummy_domain)


_CHANGED: dict[AuditEvent, Callable[[Account, str], dict[str, object]]] = {
    AuditEvent.ACCOUNT_RENAMED: lambda account, _: {"full_name": account.full_name},
    AuditEvent.ACCOUNT_ROLE_CHANGED: lambda account, _: {"role": account.role.value},
    AuditEvent.ACCOUNT_EMAIL_CHANGED: lambda account, domain: {"new_email": display_email(account, domain)},
    AuditEvent.ACCOUNT_DEACTIVATED: lambda _account, _: {"is_active": False},
    AuditEvent.ACCOUNT_REACTIVATED: lambda _account, _: {"is_active": True},
    AuditEvent.BOT_OWNER_CHANGED: lambda account, _: {"bot_owner_id": account.bot_owner_id},
    AuditEvent.BOT_CHANGED: lambda account, domain: {
        "full_name": account.full_name,
        "new_email": display_email(account, domain),
    },
}


def person_fields(account: Account, dummy_domain: str) -> dict[str, object]:
    """An account as everybody may see it. Never a key."""
    fields: dict[str, object] = {
        "user_id": account.id,
        "email": display_email(account, dummy_domain),
        "full_name": account.full_name,
        "delivery_email": None,
        "is_admin": account.is_administrator,
        "is_owner": account.is_owner,
        "is_guest": account.role is Role.GUEST,
        "role": account.role.value,
        "is_bot": account.is_bot,
        "is_active": account.is_active,
        "timezone": account.timezone,
        "date_joined": f"{account.date_joined:%Y-%m-%dT%H:%M}+00:00",
        "avatar_url": avatar_url(account),
        "avatar_version": account.avatar_version,
    }
    if account.is_bot:
        return {**fields, "bot_type": account.bot_type, "bot_owner_id": account.bot_owner_id}
    return {**fields, "profile_data": {}}


def bot_fields(account: Account) -> dict[str, object]:
    """A bot as those who may manage it see it in events and at registration (feature level 474: no key)."""
    return {
        "user_id": account.id,
        "default_sending_stream": None,
        "default_events_register_stream": None,
        "default_all_public_streams": False,
        "services": [],
        "owner_id": account.bot_owner_id,
    }
