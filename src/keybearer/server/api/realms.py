"""`realm`: the organization's name, who may do what in it, and the groups that these settings refer to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import (
    BOOLEAN,
    INTEGER,
    STRING,
    Schema,
    array,
    boolean,
    encoded,
    nullable,
    record,
    text,
)
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.parameters import Parameters
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.realm_events import GROUP_SETTINGS, KEY_SETTINGS, changed_fields
from keybearer.server.domain.realms import Realm, SystemGroup
from keybearer.server.domain.rules import ADMINISTRATORS, EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services import profiles, realms
from keybearer.server.services.realms import (
    DESCRIPTION_MAX_LENGTH,
    NAME_MAX_LENGTH,
    RealmChange,
    checked_description,
    checked_name,
)

_PERMISSIONS = (
    "can_manage_group",
    "can_mention_group",
    "can_add_members_group",
    "can_remove_members_group",
    "can_join_group",
    "can_leave_group",
)
"""What may be done with a group on Zulip's wire. Nobody may do anything with a system group."""


async def change(call: Call) -> Answer:
    """`PATCH realm`: its name and description, and who may do what, for administrators. The answer contains the
    changes.
    """
    before, parameters = call.realm, call.parameters
    name = parameters.optional_text("name", max_length=NAME_MAX_LENGTH)
    description = parameters.optional_text("description", max_length=DESCRIPTION_MAX_LENGTH)
    policies = {
        policy: _group_setting(parameters, setting, getattr(before, policy))
        for policy, setting in GROUP_SETTINGS.items()
    }
    wanted = RealmChange(
        name=None if name is None else checked_name(name),
        description=None if description is None else checked_description(description),
        key_policy=_key_policy(parameters),
        **policies,
    )
    return success(changed_fields(*await realms.change(call.context, call.caller, wanted)))


def _key_policy(parameters: Parameters) -> dict[str, Any]:
    """The sent parts of the policy about named keys, by field. Days may be null: no limit."""
    given: dict[str, Any] = {}
    for name in ("longest_days", "default_days"):
        setting = KEY_SETTINGS[name]
        if parameters.has(setting):
            given[name] = None if parameters.optional_json(setting) is None else parameters.integer(setting)
    must_end = parameters.optional_boolean(KEY_SETTINGS["must_end"])
    return given if must_end is None else {**given, "must_end": must_end}


def _group_setting(parameters: Parameters, setting: str, now: SystemGroup) -> SystemGroup | None:
    """The group to which a setting is changed: `{"new": id}`, optionally with `old` to compare, or just the id.

    An unnamed group, in Zulip's form, is accepted if it equals a system group: no members of its own, one subgroup.
    """
    value = parameters.optional_json(setting)
    if value is None:
        return None
    if not isinstance(value, dict):
        return group_of(setting, value)
    if "new" not in value:
        raise Refused(f'{setting}["new"] field is missing')
    if "old" in value and group_of(setting, value["old"]) is not now:
        raise Refused("'old' value does not match the expected value.", code="EXPECTATION_MISMATCH")
    return group_of(setting, value["new"])


def group_of(setting: str, value: Any) -> SystemGroup:  # noqa: ANN401  a piece of JSON
    """The group that a setting names. Raises Refused if it is not a system group."""
    if isinstance(value, dict):
        members, subgroups = value.get("direct_members"), value.get("direct_subgroups")
        if members == [] and isinstance(subgroups, list) and len(subgroups) < 2:
            value = subgroups[0] if subgroups else SystemGroup.NOBODY.value
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(f"{setting}: Keybearer knows the system groups only; GET user_groups lists their ids.")
    try:
        return SystemGroup(value)
    except ValueError:
        raise Refused("Invalid user group") from None


async def list_groups(call: Call) -> Answer:
    """`GET user_groups`: the system groups. Organizations here have no others."""
    call.parameters.optional_boolean("include_deactivated_groups")
    viewed = await profiles.find_all(call.context, call.caller)
    return success(user_groups=groups_fields(viewed.accounts, call.realm))


def groups_fields(everybody: Iterable[Account], realm: Realm) -> list[dict[str, object]]:
    """The system groups, each with those of these accounts that are its direct members."""
    members: dict[Role | None, list[int]] = {role: [] for role in Role}
    for account in everybody:
        if account.is_active:
            members[account.role].append(account.id)
    return [_group_fields(group, members.get(group.direct_role, []), realm) for group in SystemGroup]


def _group_fields(group: SystemGroup, member_ids: Sequence[int], realm: Realm) -> dict[str, object]:
    return {
        "id": group.value,
        "name": group.wire_name,
        "description": group.meaning,
        "members": member_ids,
        "direct_subgroup_ids": [] if group.subgroup is None else [group.subgroup.value],
        "is_system_group": True,
        "deactivated": False,
        "creator_id": None,
        "date_created": int(realm.created_at.timestamp()),
        **dict.fromkeys(_PERMISSIONS, SystemGroup.NOBODY.value),
    }


_GROUP_VALUE: Schema = {"type": ["integer", "object"]}
GROUP = record(
    {
        "id": INTEGER,
        "name": STRING,
        "description": STRING,
        "members": array(INTEGER),
        "direct_subgroup_ids": array(INTEGER),
        "is_system_group": BOOLEAN,
        "deactivated": BOOLEAN,
        "creator_id": nullable(INTEGER),
        "date_created": INTEGER,
        **dict.fromkeys(_PERMISSIONS, INTEGER),
    }
)

_CHANGED = {
    "name": STRING,
    "description": STRING,
    **dict.fromkeys(GROUP_SETTINGS.values(), INTEGER),
    "longest_api_key_days": nullable(INTEGER),
    "default_api_key_days": nullable(INTEGER),
    "api_keys_must_end": BOOLEAN,
}

ENDPOINTS = (
    Endpoint.patch(
        "realm",
        change,
        ADMINISTRATORS.may(Scope.MANAGE),
        FORM,
        "Change the organization's name and description, who may do what in it, and how long keys are valid.",
        takes=(
            text("name", "The new name.", max_length=NAME_MAX_LENGTH),
            text("description", "The purpose of the organization.", max_length=DESCRIPTION_MAX_LENGTH),
            *(
                encoded(setting, 'A group: `{"new": id}`, with `old` to compare, or the id.', _GROUP_VALUE)
                for setting in GROUP_SETTINGS.values()
            ),
            encoded("longest_api_key_days", "How long a named key may live. null: without end.", nullable(INTEGER)),
            encoded(
                "default_api_key_days",
                "How long a named key lives if nobody chooses an end. null: without end.",
                nullable(INTEGER),
            ),
            boolean("api_keys_must_end", "Whether named keys need an end."),
        ),
        gives=_CHANGED,
        optional=frozenset(_CHANGED),
    ),
    Endpoint.get(
        "user_groups",
        list_groups,
        EVERYBODY.may(Scope.READ),
        "The groups that settings refer to.",
        takes=(boolean("include_deactivated_groups", "Changes nothing: system groups are never deactivated."),),
        gives={"user_groups": array(GROUP)},
    ),
)
