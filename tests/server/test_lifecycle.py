"""What deactivating, reactivating, and changes of owner, address and password do to keys, sessions and devices."""

from __future__ import annotations

import asyncio

import pytest

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.bots import BotType
from keybearer.server.services import deactivation, devices, passwords, sessions
from tests.in_process import PASSWORD, InProcessServer, Known
from tests.server.test_regeneration import key_works, live_keys, mail_subjects

NEW_PASSWORD = "another good passphrase 9375"


async def refusal(server: InProcessServer, known: Known) -> str:
    response = await server.client().get("/api/v1/users/me", auth=known.auth)
    return str(response.json()["msg"])


async def test_a_deactivated_person_is_refused_everywhere_and_so_are_their_bots(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    bot, browser = await server.add_bot(hamlet, "hambot"), await server.signed_in(hamlet)
    response = await server.client().delete(f"/api/v1/users/{hamlet.id}", auth=iago.auth)
    assert response.status_code == 200
    assert await refusal(server, hamlet) == "Account is deactivated"
    assert await refusal(server, bot) == "Account is deactivated"
    assert (await browser.get("/json/users/me")).status_code == 401


async def test_reactivating_issues_a_new_key_and_the_old_one_stays_revoked(server_on_each: InProcessServer) -> None:
    server = server_on_each
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    await devices.register_client(server.context, Caller(hamlet.account))
    await server.client().delete(f"/api/v1/users/{hamlet.id}", auth=iago.auth)
    response = await server.client().post(f"/api/v1/users/{hamlet.id}/reactivate", auth=iago.auth)
    assert response.status_code == 200
    assert await refusal(server, hamlet) == "Invalid API key"
    again = await server.known(hamlet.email)
    assert await key_works(server, *again.auth)
    assert await live_keys(server, hamlet.id) == 1
    assert await devices.find_all(server.context, Caller(hamlet.account)) == []
    assert (hamlet.email, "Your API key was replaced") in await mail_subjects(server)


async def test_reactivating_a_person_does_not_reactivate_their_bots(server: InProcessServer) -> None:
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    await server.client().delete(f"/api/v1/users/{hamlet.id}", auth=iago.auth)
    await server.client().post(f"/api/v1/users/{hamlet.id}/reactivate", auth=iago.auth)
    assert await refusal(server, bot) == "Account is deactivated"


async def test_a_bot_without_an_active_owner_belongs_to_the_person_who_reactivates_it(server: InProcessServer) -> None:
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    await server.client().delete(f"/api/v1/users/{hamlet.id}", auth=iago.auth)
    await server.client().post(f"/api/v1/users/{bot.id}/reactivate", auth=iago.auth)
    assert (await server.known(bot.email)).account.bot_owner_id == iago.id


async def test_a_bot_cannot_be_reactivated_if_its_name_was_taken(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "first", name="The Bot")
    await server.client().delete(f"/api/v1/bots/{bot.id}", auth=hamlet.auth)
    await server.add_bot(hamlet, "second", name="The Bot")
    response = await server.client().post(f"/api/v1/users/{bot.id}/reactivate", auth=hamlet.auth)
    assert response.json()["msg"].startswith('There is already an active bot named "The Bot" in this organization.')


async def test_a_new_owner_gets_a_new_key_and_the_former_owners_copy_stops_working(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet, cordelia = await server.add_person("hamlet"), await server.add_person("cordelia")
    bot = await server.add_bot(hamlet, "hambot", name="Hamlet Bot")
    response = await server.client().patch(
        f"/api/v1/bots/{bot.id}", auth=hamlet.auth, data={"bot_owner_id": str(cordelia.id)}
    )
    assert response.json()["bot_owner"] == cordelia.email
    assert await refusal(server, bot) == "Invalid API key"
    assert await mail_subjects(server) == [(cordelia.email, "The API key of Hamlet Bot was replaced")]
    gone = await server.client().get(f"/api/v1/bots/{bot.id}/api_key", auth=hamlet.auth)
    assert gone.json()["msg"] == "Insufficient permission"


async def test_giving_a_bot_to_the_owner_it_has_changes_no_key(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    await server.client().patch(f"/api/v1/bots/{bot.id}", auth=hamlet.auth, data={"bot_owner_id": str(hamlet.id)})
    assert await key_works(server, *bot.auth)


async def test_a_bots_new_address_is_its_new_user_name_and_the_key_stays(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    response = await server.client().patch(f"/api/v1/bots/{bot.id}", auth=hamlet.auth, data={"short_name": "renamed"})
    assert response.status_code == 200
    assert not await key_works(server, *bot.auth)
    assert await key_works(server, bot.email.replace("hambot", "renamed"), bot.api_key)
    assert ("account:email_changed", hamlet.id, bot.id) in await server.events()


async def test_a_changed_password_ends_other_sessions_and_leaves_the_key_and_devices(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    await devices.register_client(server.context, Caller(hamlet.account))
    here, elsewhere = await server.signed_in(hamlet), await server.signed_in(hamlet)
    response = await here.patch("/json/settings", data={"old_password": PASSWORD, "new_password": NEW_PASSWORD})
    assert response.status_code == 200, response.text
    assert (await here.get("/json/users/me")).status_code == 200
    assert (await elsewhere.get("/json/users/me")).status_code == 401
    assert await key_works(server, *hamlet.auth)
    assert len(await devices.find_all(server.context, Caller(hamlet.account))) == 1
    assert await mail_subjects(server) == [(hamlet.email, "Your password was changed")]


async def test_a_reset_password_ends_every_session_and_signs_nobody_in(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    browser = await server.signed_in(hamlet)
    token = await passwords.reset_link_by_operator(server.context, hamlet.email)
    await passwords.reset(server.context, token, Secret(NEW_PASSWORD), Caller(hamlet.account).origin)
    assert (await browser.get("/json/users/me")).status_code == 401
    assert await sessions.find_all(server.context, Caller(hamlet.account)) == []
    assert await key_works(server, *hamlet.auth)


async def test_the_only_owner_can_be_neither_deactivated_nor_demoted(server: InProcessServer) -> None:
    olive, iago = await server.add_person("olive", Role.OWNER), await server.add_person("iago", Role.ADMINISTRATOR)
    client = server.client()
    own = await client.delete("/api/v1/users/me", auth=olive.auth)
    assert own.json() == {
        "result": "error",
        "msg": "Cannot deactivate the only organization owner.",
        "is_last_owner": True,
        "entity": "organization owner",
        "code": "CANNOT_DEACTIVATE_LAST_USER",
    }
    demoted = await client.patch(f"/api/v1/users/{olive.id}", auth=olive.auth, data={"role": "200"})
    assert demoted.json()["msg"] == "The owner permission cannot be removed from the only organization owner."
    other = await client.delete(f"/api/v1/users/{olive.id}", auth=iago.auth)
    assert other.json()["code"] == "UNAUTHORIZED_PRINCIPAL"
    assert await key_works(server, *olive.auth)


async def test_of_two_owners_who_leave_at_once_one_stays(server_on_each: InProcessServer) -> None:
    server = server_on_each
    owners = [await server.add_person(name, Role.OWNER) for name in ("olive", "oscar")]
    await server.add_person("hamlet")
    responses = await asyncio.gather(*(server.client().delete("/api/v1/users/me", auth=owner.auth) for owner in owners))
    assert sorted(response.status_code for response in responses) == [200, 400]


async def test_a_demoted_person_may_do_less_from_the_next_request_on(server: InProcessServer) -> None:
    olive, iago = await server.add_person("olive", Role.OWNER), await server.add_person("iago", Role.ADMINISTRATOR)
    await server.client().patch(f"/api/v1/users/{iago.id}", auth=olive.auth, data={"role": "400"})
    response = await server.client().patch("/api/v1/realm", auth=iago.auth)
    assert response.json()["msg"] == "Must be an organization administrator"


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
async def test_bots_cannot_be_deactivated_as_people(server: InProcessServer, method: str) -> None:
    olive, hamlet = await server.add_person("olive", Role.OWNER), await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    if method == "DELETE":
        response = await server.client().delete(f"/api/v1/users/{bot.id}", auth=olive.auth)
        assert response.json()["msg"] == "No such user"
    else:
        response = await server.client().patch(f"/api/v1/bots/{hamlet.id}", auth=olive.auth)
        assert response.json()["msg"] == "No such bot"


async def test_reactivating_a_bot_checks_the_policy_again(server: InProcessServer) -> None:
    olive, hamlet = await server.add_person("olive", Role.OWNER), await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hook", BotType.INCOMING_WEBHOOK)
    await server.client().delete(f"/api/v1/bots/{bot.id}", auth=hamlet.auth)
    policies = dict.fromkeys(("can_create_bots_group", "can_create_write_only_bots_group"), '{"new": 3}')
    await server.client().patch("/api/v1/realm", auth=olive.auth, data=policies)
    response = await server.client().post(f"/api/v1/users/{bot.id}/reactivate", auth=hamlet.auth)
    assert response.json()["msg"] == "Insufficient permission"


async def test_the_operator_may_deactivate_accounts_that_an_administrator_may_not(server: InProcessServer) -> None:
    owners = [await server.add_person(name, Role.OWNER) for name in ("olive", "oscar")]
    await deactivation.deactivate_person(server.context, None, owners[1].id)
    assert await refusal(server, owners[1]) == "Account is deactivated"
