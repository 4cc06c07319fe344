"""The organization's policies: groups by role, given by id, never to guests."""

from __future__ import annotations

import json

import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.realms import SystemGroup
from keybearer.server.services import realms
from tests.in_process import InProcessServer

SETTING = "can_create_bots_group"
NO_SYSTEM_GROUP = f"{SETTING}: Keybearer knows the system groups only; GET user_groups lists their ids."


async def groups(server: InProcessServer) -> dict[str, int]:
    olive = await server.add_person("lister")
    response = await server.client().get("/api/v1/user_groups", auth=olive.auth)
    return {group["name"]: group["id"] for group in response.json()["user_groups"]}


async def test_the_groups_are_zulips_system_groups_with_their_members(server: InProcessServer) -> None:
    olive, iago, hamlet = [
        await server.add_person(name, role)
        for name, role in (("olive", Role.OWNER), ("iago", Role.ADMINISTRATOR), ("hamlet", Role.MEMBER))
    ]
    response = await server.client().get("/api/v1/user_groups", auth=hamlet.auth)
    found = {group["name"]: group for group in response.json()["user_groups"]}
    assert set(found) == {
        "role:nobody",
        "role:owners",
        "role:administrators",
        "role:moderators",
        "role:fullmembers",
        "role:members",
        "role:everyone",
        "role:internet",
    }
    assert found["role:owners"]["members"] == [olive.id]
    assert found["role:administrators"]["members"] == [iago.id]
    assert found["role:administrators"]["direct_subgroup_ids"] == [found["role:owners"]["id"]]
    assert found["role:fullmembers"]["members"] == [hamlet.id]


@pytest.mark.parametrize(
    "value",
    [
        {"new": 3},
        {"new": 3, "old": 6},
        3,
        {"new": {"direct_members": [], "direct_subgroups": [3]}},
        {"new": 3, "old": {"direct_members": [], "direct_subgroups": [6]}},
    ],
)
async def test_a_group_is_given_in_any_of_zulips_forms(server: InProcessServer, value: object) -> None:
    olive = await server.add_person("olive", Role.OWNER)
    response = await server.client().patch("/api/v1/realm", auth=olive.auth, data={SETTING: json.dumps(value)})
    assert response.json() == {"result": "success", "msg": "", SETTING: SystemGroup.ADMINISTRATORS.value}
    assert (await realms.find(server.context)).can_create_bots is SystemGroup.ADMINISTRATORS


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"new": 7}, f"'{SETTING}' setting cannot be set to 'role:everyone' group."),
        ({"new": 8}, f"'{SETTING}' setting cannot be set to 'role:internet' group."),
        ({"new": 99}, "Invalid user group"),
        ({"new": -1}, "Invalid user group"),
        ({"new": 3, "old": 1}, "'old' value does not match the expected value."),
        ({}, f'{SETTING}["new"] field is missing'),
        ({"new": {"direct_members": [1], "direct_subgroups": []}}, None),
        ({"new": "members"}, None),
        ("members", None),
        ([], None),
        (True, None),
    ],
)
async def test_an_unsupported_group_is_refused_and_nothing_changes(
    server: InProcessServer, value: object, message: str | None
) -> None:
    olive = await server.add_person("olive", Role.OWNER)
    response = await server.client().patch("/api/v1/realm", auth=olive.auth, data={SETTING: json.dumps(value)})
    assert response.status_code == 400
    assert response.json()["msg"] == (
        message or f"{SETTING}: Keybearer knows the system groups only; GET user_groups lists their ids."
    )
    assert (await realms.find(server.context)).can_create_bots is SystemGroup.MEMBERS


async def test_unchanged_values_are_neither_reported_nor_logged(server: InProcessServer) -> None:
    olive = await server.add_person("olive", Role.OWNER)
    for form in ({SETTING: '{"new": 6}'}, None):
        response = await server.client().patch("/api/v1/realm", auth=olive.auth, data=form)
        assert response.json() == {"result": "success", "msg": ""}
    assert not [event for event, *_ in await server.events() if event == "realm:changed"]


async def test_a_description_is_text_to_clients_that_show_html(server: InProcessServer) -> None:
    async with server.context.change(None) as change:
        await change.connection.exec_driver_sql("UPDATE realms SET description = '<script>alert(1)</script> & co'")
    body = (await server.client().get("/api/v1/server_settings")).json()
    assert body["realm_description"] == "<p>&lt;script&gt;alert(1)&lt;/script&gt; &amp; co</p>"


async def test_settings_accept_the_listed_ids_of_groups(server: InProcessServer) -> None:
    assert (await groups(server))["role:administrators"] == 3


async def test_changes_of_name_and_description_by_administrators_are_reported_to_everybody(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    client, path = server.client(), "/api/v1/realm"
    queue = (await client.post("/api/v1/register", auth=hamlet.auth, data={"event_types": '["realm"]'})).json()
    form = {"name": " Elsinore ", "description": "A castle.", SETTING: '{"new": 3}', "can_invite_users_group": "2"}
    answer = (await client.patch(path, auth=iago.auth, data=form)).json()
    changed = {"name": "Elsinore", "description": "A castle.", SETTING: 3, "can_invite_users_group": 2}
    assert answer == {"result": "success", "msg": "", **changed}
    query = {"queue_id": queue["queue_id"], "last_event_id": "-1", "dont_block": "true"}
    events = (await client.get("/api/v1/events", auth=hamlet.auth, params=query)).json()["events"]
    for event in events:
        del event["id"]
    assert events == [
        {"type": "realm", "op": "update", "property": "name", "value": "Elsinore"},
        {"type": "realm", "op": "update", "property": "description", "value": "A castle."},
        {
            "type": "realm",
            "op": "update_dict",
            "property": "default",
            "data": {SETTING: 3, "can_invite_users_group": 2},
        },
    ]
    realm = await realms.find(server.context)
    assert (realm.name, realm.description) == ("Elsinore", "A castle.")
    assert ("realm:changed", iago.id, None) in await server.events()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"name": ""}, "The organization's name needs 1 to 40 printable characters."),
        ({"name": "x\ny"}, "The organization's name needs 1 to 40 printable characters."),
        ({"name": "x" * 41}, "name is too long (limit: 40 characters)"),
        ({"description": "x" * 1001}, "description is too long (limit: 1000 characters)"),
        ({"description": "\x07"}, "The organization's description may have 1000 printable characters at most."),
    ],
)
async def test_a_bad_name_or_description_changes_nothing(
    server: InProcessServer, form: dict[str, str], message: str
) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    before = await realms.find(server.context)
    response = await server.client().patch("/api/v1/realm", auth=iago.auth, data={**form, SETTING: "3"})
    assert (response.status_code, response.json()["msg"]) == (400, message)
    assert await realms.find(server.context) == before
