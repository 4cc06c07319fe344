"""What clients are told when an account changes: the events that follow from what the audit log remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from keybearer.server.domain.accounts import Account, Role, avatar_url, display_email
from keybearer.server.domain.audit import Event as Audited
from keybearer.server.domain.event_queues import ACCESS_CHANGED, Event

ENDS_POLLS = frozenset(
    {Audited.API_KEY_REGENERATED, Audited.ACCOUNT_DEACTIVATED, Audited.SESSION_CLOSED, Audited.PASSWORD_CHANGED}
)
"""What makes an account's open polls be checked anew: the key or session may be dead, or the account itself."""

TOLD = ENDS_POLLS | {
    Audited.ACCOUNT_CREATED,
    Audited.BOT_CREATED,
    Audited.ACCOUNT_RENAMED,
    Audited.ACCOUNT_ROLE_CHANGED,
    Audited.ACCOUNT_EMAIL_CHANGED,
    Audited.ACCOUNT_REACTIVATED,
    Audited.BOT_CHANGED,
    Audited.BOT_OWNER_CHANGED,
}


@dataclass(frozen=True, slots=True)
class AccountChange:
    """Something that happened to an account, by its name in the audit log."""

    what: Audited
    account: Account


def events_of(change: AccountChange, *, administrator_ids: Sequence[int], dummy_domain: str) -> Iterator[Event]:
    """The events that tell of the change. No event carries a key (feature level 474)."""
    account, what = change.account, change.what
    if what in ENDS_POLLS:
        yield Event(ACCESS_CHANGED, {"account_id": account.id}, {})
    if what in (Audited.ACCOUNT_CREATED, Audited.BOT_CREATED):
        yield Event("realm_user", {"type": "realm_user", "op": "add", "person": person_fields(account, dummy_domain)})
    changed = _changed(change, dummy_domain)
    if changed:
        yield Event("realm_user", {"type": "realm_user", "op": "update", "person": {"user_id": account.id, **changed}})
    if account.is_bot and (changed or what is Audited.BOT_CREATED):
        interested = {*administrator_ids} | ({account.bot_owner_id} if account.bot_owner_id else set())
        recipients: dict[int, Sequence[str]] = dict.fromkeys(sorted(interested), ())
        if what is Audited.BOT_CREATED:
            yield Event("realm_bot", {"type": "realm_bot", "op": "add", "bot": bot_fields(account)}, recipients)
        else:
            bot = {"user_id": account.id, **changed}
            if "bot_owner_id" in bot:
                bot["owner_id"] = bot.pop("bot_owner_id")
            yield Event("realm_bot", {"type": "realm_bot", "op": "update", "bot": bot}, recipients)


def _changed(change: AccountChange, dummy_domain: str) -> dict[str, object]:
    fields = _CHANGED.get(change.what)
    return {} if fields is None else fields(change.account, dummy_domain)


_CHANGED: dict[Audited, Callable[[Account, str], dict[str, object]]] = {
    Audited.ACCOUNT_RENAMED: lambda account, _: {"full_name": account.full_name},
    Audited.ACCOUNT_ROLE_CHANGED: lambda account, _: {"role": account.role.value},
    Audited.ACCOUNT_EMAIL_CHANGED: lambda account, domain: {"new_email": display_email(account, domain)},
    Audited.ACCOUNT_DEACTIVATED: lambda _account, _: {"is_active": False},
    Audited.ACCOUNT_REACTIVATED: lambda _account, _: {"is_active": True},
    Audited.BOT_OWNER_CHANGED: lambda account, _: {"bot_owner_id": account.bot_owner_id},
    Audited.BOT_CHANGED: lambda account, domain: {
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
