"""People whom an administrator adds over the wire: the given password only lets them choose their own."""

from __future__ import annotations

import re

import httpx2
import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.bots import BotType
from tests.in_process import InProcessServer, Known

EMAIL = "newbie@example.com"
GIVEN = "a passphrase that was given 4471"
CHOSEN = "a passphrase that was chosen 9902"


async def add(server: InProcessServer, who: Known, **fields: str) -> httpx2.Response:
    data = {"email": EMAIL, "full_name": "New Newbie", "password": GIVEN, **fields}
    return await server.client().post("/api/v1/users", auth=who.auth, data=data)


async def fetch_key(server: InProcessServer, password: str) -> httpx2.Response:
    data = {"username": EMAIL, "password": password}
    return await server.client().post("/api/v1/fetch_api_key", data=data)


async def sign_in(client: httpx2.AsyncClient, password: str) -> httpx2.Response:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', (await client.get("/login/")).text)
    assert token is not None
    form = {"username": EMAIL, "password": password, "csrfmiddlewaretoken": token[1]}
    return await client.post("/login/", data=form, headers={"Referer": "http://localhost:9991/login/"})


async def choose(client: httpx2.AsyncClient, path: str, password: str) -> httpx2.Response:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', (await client.get(path)).text)
    assert token is not None
    form = {"new_password1": password, "new_password2": password, "csrfmiddlewaretoken": token[1]}
    return await client.post(path, data=form, headers={"Referer": f"http://localhost:9991{path}"})


async def test_an_administrator_who_adds_a_person_gets_the_id_and_no_key(server_on_each: InProcessServer) -> None:
    server = server_on_each
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    response = await add(server, iago)
    known = await server.known(EMAIL)
    assert response.json() == {"result": "success", "msg": "", "user_id": known.id}
    assert known.api_key not in response.text
    assert (known.account.full_name, known.account.role) == ("New Newbie", Role.MEMBER)
    assert ("account:created", iago.id, known.id) in await server.events()


async def test_only_administrators_add_people(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "bot")
    hook = await server.add_bot(hamlet, "hook", BotType.INCOMING_WEBHOOK)
    for who, words in (
        (hamlet, "Must be an organization administrator"),
        (bot, "Must be an organization administrator"),
        (hook, "This API is not available to incoming webhook bots."),
    ):
        assert (await add(server, who)).json()["msg"] == words


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"email": "nonsense"}, "Enter a valid email address."),
        ({"email": "iago@example.com"}, "Email is already in use."),
        ({"full_name": "x"}, "Name too short!"),
        ({"password": "weak"}, "The password is too weak."),
    ],
)
async def test_invalid_values_add_nobody(server: InProcessServer, fields: dict[str, str], message: str) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    response = await add(server, iago, **fields)
    assert (response.status_code, response.json()["msg"]) == (400, message)
    assert GIVEN not in response.text
    members = (await server.client().get("/api/v1/users", auth=iago.auth)).json()["members"]
    assert [each["user_id"] for each in members] == [iago.id]


async def test_the_given_password_gives_neither_a_key_nor_a_session(server: InProcessServer) -> None:
    await add(server, await server.add_person("iago", Role.ADMINISTRATOR))
    fetched = await fetch_key(server, GIVEN)
    assert (fetched.status_code, fetched.json()["code"]) == (401, "PASSWORD_RESET_REQUIRED")
    assert "choose one of your own" in fetched.json()["msg"]
    client = server.client()
    response = await sign_in(client, GIVEN)
    assert response.headers["location"].startswith("/accounts/password/reset/")
    assert "sessionid" not in response.headers.get("set-cookie", "")
    assert (await fetch_key(server, "a wrong password 1123")).json()["code"] == "AUTHENTICATION_FAILED"


async def test_after_choosing_their_own_password_people_sign_in_only_with_that(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    await add(server, await server.add_person("iago", Role.ADMINISTRATOR))
    client = server.client()
    path = (await sign_in(client, GIVEN)).headers["location"]
    same = await choose(client, path, GIVEN)
    assert "It is the one that you were given" in same.text
    assert (await choose(client, path, CHOSEN)).headers["location"] == "/accounts/password/done/"
    assert (await fetch_key(server, GIVEN)).json()["code"] == "AUTHENTICATION_FAILED"
    assert (await fetch_key(server, CHOSEN)).json()["api_key"] == (await server.known(EMAIL)).api_key
    assert (await sign_in(server.client(), CHOSEN)).headers["location"] == "/"
