"""The organization as Zulip's wire shows it, in answers about its changes and in events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event
from keybearer.server.domain.realms import Realm, SystemGroup

GROUP_SETTINGS: Mapping[str, str] = {
    "can_create_bots": "can_create_bots_group",
    "can_create_write_only_bots": "can_create_write_only_bots_group",
    "can_invite": "can_invite_users_group",
}
"""The policies of an organization: the field, and the group setting that it becomes on the wire."""

KEY_SETTINGS: Mapping[str, str] = {
    "longest_days": "longest_api_key_days",
    "default_days": "default_api_key_days",
    "must_end": "api_keys_must_end",
}
"""The policy about named keys: the field, and its name on the wire. Zulip has nothing like it."""

_IN_NO_EVENT = frozenset(KEY_SETTINGS.values())


def changed_fields(before: Realm, after: Realm) -> dict[str, object]:
    """What changed in the organization, by names on the wire."""
    names = {"name": "name", "description": "description", **GROUP_SETTINGS}
    return _changed(before, after, names) | _changed(before.key_policy, after.key_policy, KEY_SETTINGS)


def _changed(before: object, after: object, names: Mapping[str, str]) -> dict[str, object]:
    return {
        on_wire: _value(getattr(after, name))
        for name, on_wire in names.items()
        if getattr(after, name) != getattr(before, name)
    }


def _value(value: object) -> object:
    return value.value if isinstance(value, SystemGroup) else value


def changed(before: Realm, after: Realm) -> Iterator[Event]:
    """The organization changed: one event for each text, and one for all group settings.

    No event holds the policy about named keys: Zulip's clients would not understand it.
    """
    fields = {name: value for name, value in changed_fields(before, after).items() if name not in _IN_NO_EVENT}
    for name in ("name", "description"):
        if name in fields:
            yield _realm({"op": "update", "property": name, "value": fields.pop(name)})
    if fields:
        yield _realm({"op": "update_dict", "property": "default", "data": fields})


def _realm(fields: Mapping[str, object]) -> Event:
    return Event("realm", {"type": "realm", **fields}, OPEN_TO_ALL)
