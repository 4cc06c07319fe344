"""Who may call what: the rule of every endpoint, and every combination of role, bot or person, own or another's."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from keybearer.server.api import routes
from keybearer.server.api.unavailable import UNAVAILABLE
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.grants import NO_SCOPE, Scope
from keybearer.server.domain.rules import ADMINISTRATORS, EVERYBODY, MEMBERS, OPEN, PEOPLE, WEBHOOKS_TOO, Way
from keybearer.server.http.body import NO_BODY
from keybearer.server.http.routing import Route
from tests.in_process import InProcessServer, Known, prepared, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
CALLERS = ("owner", "administrator", "moderator", "member", "guest", "bot", "webhook bot")

RULES = {
    "GET server_settings": OPEN,
    "GET openapi.json": OPEN,
    "GET emoji_data.json": OPEN,
    "POST fetch_api_key": OPEN,
    "POST dev_fetch_api_key": OPEN,
    "GET dev_list_users": OPEN,
    "POST jwt/fetch_api_key": OPEN,
    "POST json/fetch_api_key": replace(PEOPLE, ways=Way.SESSION).may(Scope.KEYS, confirmed=False),
    "GET users/me": EVERYBODY.may(Scope.READ),
    "DELETE users/me": PEOPLE.may(Scope.MANAGE),
    "GET users": EVERYBODY.may(Scope.READ),
    "GET users/{user_id}": EVERYBODY.may(Scope.READ),
    "PATCH users/{user_id}": EVERYBODY.may(Scope.MANAGE),
    "DELETE users/{user_id}": EVERYBODY.may(Scope.MANAGE),
    "GET users/{email}": EVERYBODY.may(Scope.READ),
    "PATCH users/{email}": EVERYBODY.may(Scope.MANAGE),
    "POST users/{user_id}/reactivate": EVERYBODY.may(Scope.KEYS),
    "POST users/me/api_key/regenerate": replace(EVERYBODY, ways=Way.KEY).may(Scope.KEYS),
    "GET users/me/api_keys": EVERYBODY.may(Scope.KEYS),
    "POST users/me/api_keys": EVERYBODY.may(Scope.KEYS),
    "PATCH users/me/api_keys/{key_id}": EVERYBODY.may(Scope.KEYS),
    "DELETE users/me/api_keys/{key_id}": EVERYBODY.may(Scope.KEYS),
    "POST users/me/api_keys/{key_id}/regenerate": EVERYBODY.may(Scope.KEYS),
    "GET bots/{bot_id}/api_keys": MEMBERS.may(Scope.KEYS),
    "POST bots/{bot_id}/api_keys": MEMBERS.may(Scope.KEYS),
    "PATCH bots/{bot_id}/api_keys/{key_id}": MEMBERS.may(Scope.KEYS),
    "DELETE bots/{bot_id}/api_keys/{key_id}": MEMBERS.may(Scope.KEYS),
    "POST bots/{bot_id}/api_keys/{key_id}/regenerate": MEMBERS.may(Scope.KEYS),
    "GET users/me/api_keys/current": replace(WEBHOOKS_TOO, ways=Way.KEY).may(NO_SCOPE),
    "POST users/me/api_keys/current/regenerate": replace(WEBHOOKS_TOO, ways=Way.KEY).may(NO_SCOPE),
    "GET api_keys": ADMINISTRATORS.may(Scope.KEYS),
    "DELETE api_keys/{key_id}": ADMINISTRATORS.may(Scope.KEYS),
    "POST api_keys/revoke_by_possession": OPEN,
    "GET bots": MEMBERS.may(Scope.KEYS),
    "POST bots": MEMBERS.may(Scope.KEYS),
    "PATCH bots/{bot_id}": MEMBERS.may(Scope.MANAGE),
    "DELETE bots/{bot_id}": MEMBERS.may(Scope.MANAGE),
    "GET bots/{bot_id}/api_key": MEMBERS.may(Scope.KEYS),
    "POST bots/{bot_id}/api_key/regenerate": MEMBERS.may(Scope.KEYS),
    "POST users/me/apns_device_token": PEOPLE.may(Scope.MANAGE),
    "DELETE users/me/apns_device_token": PEOPLE.may(Scope.MANAGE),
    "POST users/me/android_gcm_reg_id": PEOPLE.may(Scope.MANAGE),
    "DELETE users/me/android_gcm_reg_id": PEOPLE.may(Scope.MANAGE),
    "POST register_client_device": PEOPLE.may(Scope.MANAGE),
    "POST remove_client_device": PEOPLE.may(Scope.MANAGE),
    "PATCH settings": PEOPLE.may(Scope.MANAGE),
    "PATCH realm": ADMINISTRATORS.may(Scope.MANAGE),
    "GET user_groups": EVERYBODY.may(Scope.READ),
    "GET invites": MEMBERS.may(Scope.KEYS),
    "POST invites": MEMBERS.may(Scope.KEYS),
    "DELETE invites/{invite_id}": MEMBERS.may(Scope.KEYS),
    "POST invites/{invite_id}/resend": MEMBERS.may(Scope.KEYS),
    "POST messages": WEBHOOKS_TOO.may(Scope.SEND),
    "GET messages": EVERYBODY.may(Scope.READ),
    "GET messages/{message_id}": EVERYBODY.may(Scope.READ),
    "PATCH messages/{message_id}": EVERYBODY.may(Scope.SEND),
    "DELETE messages/{message_id}": EVERYBODY.may(Scope.SEND),
    "GET messages/{message_id}/history": EVERYBODY.may(Scope.READ),
    "GET messages/matches_narrow": EVERYBODY.may(Scope.READ),
    "POST messages/render": EVERYBODY.may(Scope.READ),
    "POST messages/flags": EVERYBODY.may(Scope.READ),
    "POST messages/flags/narrow": EVERYBODY.may(Scope.READ),
    "POST mark_all_as_read": EVERYBODY.may(Scope.READ),
    "POST mark_stream_as_read": EVERYBODY.may(Scope.READ),
    "POST mark_topic_as_read": EVERYBODY.may(Scope.READ),
    "POST messages/{message_id}/reactions": EVERYBODY.may(Scope.SEND),
    "DELETE messages/{message_id}/reactions": EVERYBODY.may(Scope.SEND),
    "GET streams": EVERYBODY.may(Scope.READ),
    "GET get_stream_id": EVERYBODY.may(Scope.READ),
    "GET streams/{stream_id}": EVERYBODY.may(Scope.READ),
    "PATCH streams/{stream_id}": EVERYBODY.may(Scope.MANAGE),
    "DELETE streams/{stream_id}": EVERYBODY.may(Scope.MANAGE),
    "GET streams/{stream_id}/members": EVERYBODY.may(Scope.READ),
    "GET users/me/subscriptions": EVERYBODY.may(Scope.READ),
    "POST users/me/subscriptions": EVERYBODY.may(Scope.MANAGE),
    "PATCH users/me/subscriptions": EVERYBODY.may(Scope.MANAGE),
    "DELETE users/me/subscriptions": EVERYBODY.may(Scope.MANAGE),
    "POST users/me/subscriptions/properties": EVERYBODY.may(Scope.MANAGE),
    "GET users/me/{stream_id}/topics": EVERYBODY.may(Scope.READ),
    "GET users/{user_id}/subscriptions/{stream_id}": EVERYBODY.may(Scope.READ),
    "POST register": EVERYBODY.may(Scope.READ),
    "GET events": EVERYBODY.may(Scope.READ),
    "DELETE events": EVERYBODY.may(Scope.READ),
    "POST users/me/presence": PEOPLE.may(Scope.READ),
    "GET realm/presence": EVERYBODY.may(Scope.READ),
    "GET users/{user}/presence": EVERYBODY.may(Scope.READ),
    "POST users/me/status": EVERYBODY.may(Scope.SEND),
    "GET users/{user_id}/status": EVERYBODY.may(Scope.READ),
    "POST typing": EVERYBODY.may(Scope.SEND),
    "POST user_uploads": EVERYBODY.may(Scope.SEND),
    "GET user_uploads/{realm_id}/{folder}/{directory}/{filename}": EVERYBODY.may(Scope.READ),
    "GET user_uploads/{realm_id}/{directory}/{filename}": EVERYBODY.may(Scope.READ),
    "GET bot_storage": EVERYBODY.may(Scope.SEND),
    "PUT bot_storage": EVERYBODY.may(Scope.SEND),
    "DELETE bot_storage": EVERYBODY.may(Scope.SEND),
    "GET realm/emoji": EVERYBODY.may(Scope.READ),
    "GET realm/linkifiers": EVERYBODY.may(Scope.READ),
    "GET realm/filters": EVERYBODY.may(Scope.READ),
    "GET realm/profile_fields": EVERYBODY.may(Scope.READ),
    "GET users/me/alert_words": EVERYBODY.may(Scope.READ),
    "POST users": ADMINISTRATORS.may(Scope.KEYS),
    "PATCH settings/notifications": PEOPLE.may(Scope.MANAGE),
    "PATCH settings/display": PEOPLE.may(Scope.MANAGE),
    "POST invites/multiuse": MEMBERS.may(Scope.KEYS),
    "PATCH invites/multiuse/{invite_id}": MEMBERS.may(Scope.KEYS),
    "DELETE invites/multiuse/{invite_id}": MEMBERS.may(Scope.KEYS),
    "POST channels/create": EVERYBODY.may(Scope.MANAGE),
    "POST default_streams": ADMINISTRATORS.may(Scope.MANAGE),
    "DELETE default_streams": ADMINISTRATORS.may(Scope.MANAGE),
    "GET attachments": EVERYBODY.may(Scope.READ),
    "DELETE attachments/{attachment_id}": EVERYBODY.may(Scope.SEND),
    "POST users/me/alert_words": EVERYBODY.may(Scope.MANAGE),
    "DELETE users/me/alert_words": EVERYBODY.may(Scope.MANAGE),
    "POST user_topics": EVERYBODY.may(Scope.MANAGE),
    "PATCH users/me/subscriptions/muted_topics": EVERYBODY.may(Scope.MANAGE),
    "POST streams/{stream_id}/delete_topic": ADMINISTRATORS.may(Scope.MANAGE),
    "POST users/me/muted_users/{muted_user_id}": EVERYBODY.may(Scope.MANAGE),
    "DELETE users/me/muted_users/{muted_user_id}": EVERYBODY.may(Scope.MANAGE),
    "GET messages/{message_id}/read_receipts": EVERYBODY.may(Scope.READ),
    "POST messages/{message_id}/typing": EVERYBODY.may(Scope.SEND),
}
"""Endpoint → its rule. It is written by hand to check the rules at the routes. The matrix checks that they hold."""

NOT_THERE = {name: EVERYBODY.may(NO_SCOPE) for names in UNAVAILABLE.values() for name in names}
"""What Zulip has and the server does not have. It refuses all callers alike."""

AUTHENTICATED = [name for name, rule in RULES.items() if rule is not OPEN]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> AsyncIterator[InProcessServer]:
    """One server for all cells."""
    directory = tmp_path_factory.mktemp("permissions") / "data"
    settings = prepared(directory, sqlite_template, api_limit="1000000/minute", failure_limit="1000000/minute")
    async with serving(settings) as server:
        yield server


def path_of(name: str, prefix: str) -> str:
    """A path at that endpoint that names nothing that exists."""
    pattern = name.partition(" ")[2].removeprefix("json/")
    return prefix + re.sub(r"\{\w+\}", "nobody@example.com", re.sub(r"\{\w+_id\}", "999999", pattern))


_numbers = itertools.count(1)


async def add(server: InProcessServer, name: str, role: Role = Role.MEMBER) -> Known:
    """A person with a unique name."""
    return await server.add_person(f"{name}-{next(_numbers)}", role)


async def callers(server: InProcessServer) -> dict[str, Known]:
    """One account of each kind."""
    keeper = await add(server, "keeper")
    return {
        **{role.label: await add(server, role.label, role) for role in Role},
        "bot": await server.add_bot(keeper, f"bot-{next(_numbers)}"),
        "webhook bot": await server.add_bot(keeper, f"bot-{next(_numbers)}", BotType.INCOMING_WEBHOOK),
    }


async def test_every_endpoint_has_the_rule_that_is_written_here() -> None:
    assert {endpoint.name: endpoint.rule for endpoint in routes.endpoints(for_development=True)} == RULES | NOT_THERE


async def test_a_route_without_a_rule_cannot_be_constructed() -> None:
    async def handler(_call: object) -> None: ...

    with pytest.raises(TypeError, match="rule"):
        Route("GET", "something/else", handler, body=NO_BODY)  # type: ignore[call-arg]


async def test_a_session_can_neither_read_nor_replace_the_key_on_the_api(server: InProcessServer) -> None:
    browser = await server.signed_in(await add(server, "hamlet"))
    response = await browser.post("/json/users/me/api_key/regenerate")
    assert response.status_code == 404


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule is OPEN and "dev_" not in name])
async def test_open_endpoints_need_no_key_and_accept_a_wrong_one(server: InProcessServer, name: str) -> None:
    method = name.partition(" ")[0]
    for headers in ({}, {"Authorization": "Basic nonsense"}):
        response = await server.client().request(method, path_of(name, "/api/v1/"), headers=headers)
        assert response.status_code in (200, 400)
        assert "www-authenticate" not in response.headers


@pytest.mark.parametrize("name", [name for name in RULES if "dev_" in name])
async def test_endpoints_without_a_password_exist_only_in_development_mode(server: InProcessServer, name: str) -> None:
    response = await server.client().request(name.partition(" ")[0], path_of(name, "/api/v1/"))
    assert response.status_code == 404


@dataclass(frozen=True)
class Cast:
    """People of every role, two members, and bots of theirs."""

    people: dict[str, Known]
    bots: dict[str, Known]


BOT_CELLS = {
    # whose bot:        member's   other member's   moderator's   of an administrator's role   of an owner's role
    "owner": "yes yes yes yes yes",
    "administrator": "yes yes yes yes no",
    "moderator": "no no own no no",
    "member": "own no no no no",
    "other": "no own no no no",
    "guest": "guest guest guest guest guest",
}
BOTS = ("member", "other", "moderator", "promoted", "crowned")
BOT_ACTIONS: list[tuple[str, str, dict[str, str]]] = [
    ("PATCH", "bots/{}", {}),
    ("GET", "bots/{}/api_key", {}),
    ("POST", "bots/{}/api_key/regenerate", {}),
    ("DELETE", "bots/{}", {}),
]


async def cast(server: InProcessServer) -> Cast:
    """All of them, with their bots. The owner gave the last two bots higher roles."""
    people = {role.label: await add(server, role.label, role) for role in Role}
    people["other"] = await add(server, "another")
    bots = {
        name: await server.add_bot(people[name], f"bot-{next(_numbers)}") for name in ("member", "other", "moderator")
    }
    for name, role in (("promoted", Role.ADMINISTRATOR), ("crowned", Role.OWNER)):
        bots[name] = await server.add_bot(people["owner"], f"bot-{next(_numbers)}")
        response = await server.client().patch(
            f"/api/v1/bots/{bots[name].id}", auth=people["owner"].auth, data={"role": str(role.value)}
        )
        assert response.status_code == 200, response.text
    return Cast(people, bots)


@pytest.mark.parametrize("way", ["key", "session"])
async def test_a_bot_is_managed_by_its_owner_and_administrators_of_at_least_its_role(
    server: InProcessServer, way: str
) -> None:
    found = await cast(server)
    for caller, cells in BOT_CELLS.items():
        who = found.people[caller]
        client = await server.signed_in(who) if way == "session" else server.client()
        prefix, auth = ("/json/", None) if way == "session" else ("/api/v1/", who.auth)
        for method, path, form in BOT_ACTIONS:
            for bot, cell in zip(BOTS, cells.split(), strict=True):
                url = prefix + path.format(found.bots[bot].id)
                response = await client.request(method, url, auth=auth, data=form or None)
                message = response.json()["msg"]
                told = {"no": "Insufficient permission", "guest": "Not allowed for guest users"}.get(cell, "")
                assert message == told, (caller, method, url, bot)


async def test_somebody_who_becomes_a_guest_no_longer_manages_bots(server: InProcessServer) -> None:
    owner, person = await add(server, "owner", Role.OWNER), await add(server, "demoted")
    bot = await server.add_bot(person, f"bot-{next(_numbers)}")
    visitor = await server.signed_in(person)
    page = f"/settings/bots/{bot.id}/"
    assert bot.api_key in (await visitor.post(f"{page}zuliprc/")).text
    demoted = await server.client().patch(f"/api/v1/users/{person.id}", auth=owner.auth, data={"role": "600"})
    assert demoted.status_code == 200, demoted.text
    for path in ("api-key/", "api-key/regenerate/", "zuliprc/", "deactivate/"):
        answer = await visitor.post(page + path, data=server.once(visitor.cookies["sessionid"]))
        assert (answer.status_code, bot.api_key in answer.text) == (403, False), path
    assert (await server.client().get("/api/v1/users/me", auth=bot.auth)).status_code == 200
    assert (await visitor.get("/settings/bots/")).status_code == 403


PERSON_CELLS = {
    # whom:        owner  administrator  member
    "owner": "yes yes yes",
    "administrator": "no yes yes",
    "moderator": "no no no",
    "member": "no no no",
    "guest": "no no no",
}


@pytest.mark.parametrize(
    ("method", "form"), [("DELETE", None), ("PATCH", {"role": "600"}), ("PATCH", {"full_name": "Another Name"})]
)
async def test_people_are_changed_by_administrators_and_owners_by_owners(
    server: InProcessServer, method: str, form: dict[str, str] | None
) -> None:
    callers_by_role = {role.label: await add(server, role.label, role) for role in Role}
    may_be_renamed = form is not None and "full_name" in form
    for caller, cells in PERSON_CELLS.items():
        for role, cell in zip((Role.OWNER, Role.ADMINISTRATOR, Role.MEMBER), cells.split(), strict=True):
            subject = await add(server, f"{caller}-on-{role.label}", role)
            response = await server.client().request(
                method, f"/api/v1/users/{subject.id}", auth=callers_by_role[caller].auth, data=form
            )
            is_administrator = caller in ("owner", "administrator")
            allowed = cell == "yes" or (is_administrator and may_be_renamed)
            assert (response.status_code == 200) is allowed, (caller, role, response.text)


async def test_no_answer_contains_a_key_of_another_account(server: InProcessServer) -> None:
    found = await callers(server)
    keys = {known.api_key for known in found.values()}
    for caller in found:
        for name in AUTHENTICATED:
            method = name.partition(" ")[0]
            if method != "GET":
                continue
            path = path_of(name, "/api/v1/").replace("999999", str(found["owner"].id))
            response = await server.client().get(path, auth=found[caller].auth)
            assert not [key for key in keys if key in response.text], (caller, name)
