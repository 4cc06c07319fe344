"""The settings of one's own account, under their current path and the two old ones."""

from __future__ import annotations

import pytest

from tests.in_process import InProcessServer, Known

PATHS = ("settings", "settings/notifications", "settings/display")


async def change(server: InProcessServer, who: Known, path: str = "settings", **form: str) -> dict[str, object]:
    response = await server.client().patch(f"/api/v1/{path}", auth=who.auth, data=form)
    answer: dict[str, object] = response.json()
    return answer


@pytest.mark.parametrize("path", PATHS)
async def test_changed_settings_are_reported_to_the_clients_of_the_account(server: InProcessServer, path: str) -> None:
    hamlet, other = await server.add_person("hamlet"), await server.add_person("other")
    client = server.client()
    types = {"event_types": '["user_settings", "realm_user"]', "fetch_event_types": "[]"}
    queues = [
        (who, (await client.post("/api/v1/register", auth=who.auth, data=types)).json()["queue_id"])
        for who in (hamlet, other)
    ]
    form = {"timezone": "Europe/Copenhagen", "email_address_visibility": "4", "enable_login_emails": "false"}
    for _ in range(2):  # unchanged values are not reported again
        assert await change(server, hamlet, path, **form) == {"result": "success", "msg": ""}
    told = []
    for who, queue_id in queues:
        query = {"queue_id": queue_id, "last_event_id": "-1", "dont_block": "true"}
        told.append((await client.get("/api/v1/events", auth=who.auth, params=query)).json()["events"])
    own = {each["property"]: each["value"] for each in told[0] if each["type"] == "user_settings"}
    assert own == {"timezone": "Europe/Copenhagen", "email_address_visibility": 4, "enable_login_emails": False}
    assert len(told[0]) == 5
    hidden, event = told[1]
    dummy = f"user{hamlet.id}@keybearer.localhost"
    assert hidden["person"] == {"user_id": hamlet.id, "new_email": dummy}
    assert event["person"] == {"user_id": hamlet.id, "email": dummy, "timezone": "Europe/Copenhagen"}
    state = (await client.post("/api/v1/register", auth=hamlet.auth)).json()
    assert own.items() <= state["user_settings"].items()
    profile = (await client.get(f"/api/v1/users/{hamlet.id}", auth=other.auth)).json()["user"]
    assert profile["timezone"] == "Europe/Copenhagen"


async def test_an_unknown_time_zone_is_refused_and_an_empty_one_is_allowed(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    assert (await change(server, hamlet, timezone="Elsinore", full_name="Other"))["msg"] == (
        "Invalid timezone: Value error, Not a recognized time zone"
    )
    assert (await server.known(hamlet.email)).account.full_name == "Hamlet"
    for timezone in ("UTC", ""):
        assert (await change(server, hamlet, timezone=timezone))["result"] == "success"
        assert (await server.known(hamlet.email)).account.timezone == timezone


@pytest.mark.parametrize("path", PATHS)
async def test_settings_that_tell_clients_what_to_do_are_named_as_unsupported(
    server: InProcessServer, path: str
) -> None:
    answer = await change(server, await server.add_person("hamlet"), path, enable_sounds="false")
    assert answer["ignored_parameters_unsupported"] == ["enable_sounds"]
