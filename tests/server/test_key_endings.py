"""What ends together with a key: the keys created with it, account keys, invitations and devices."""

from __future__ import annotations

from typing import Any

import pytest

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.services import invitations, joining, key_lists, multiuse_invitations
from keybearer.server.storage import api_keys, devices
from tests.in_process import InProcessServer, Known
from tests.server.named_keys import (
    ALL,
    CURRENT,
    OWN,
    POSSESSION,
    NamedKey,
    expire,
    form,
    is_accepted,
    issued,
    post,
)

PATIENCE = 20.0


@pytest.fixture
async def hamlet(server: InProcessServer) -> Known:
    return await server.add_person("hamlet")


async def test_revoking_a_key_ends_all_keys_created_with_it_even_of_other_accounts(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    key = await issued(server, hamlet.auth, scopes=["read", "send", "keys"])
    child = await issued(server, key.auth, scopes=["read", "keys"])
    others = [await issued(server, child.auth, bot=bot, scopes=["read"]), await issued(server, hamlet.auth)]
    await server.client().delete(f"{OWN}/{key.id}", auth=hamlet.auth)
    assert [await is_accepted(server, each) for each in (key, child, *others)] == [False, False, False, True]
    revoked = [subject for event, _, subject in await server.events() if event == "api_key:revoked"]
    assert sorted(each or 0 for each in revoked) == sorted([hamlet.id, hamlet.id, bot.id])


async def test_an_account_key_ends_with_the_named_key_that_created_it(server_on_each: InProcessServer) -> None:
    server = server_on_each
    olive = await server.add_person("olive", Role.OWNER)
    polly = await server.add_person("polly")
    key = await issued(server, olive.auth, scopes=ALL, expires_in_days="null")
    added = await server.client().post(
        "/api/v1/bots", auth=key.auth, data=form(full_name="Added", short_name="added", bot_type=1)
    )
    person = form(email="percy@example.com", full_name="Percy", password="thirty warm rabbits")
    assert (await server.client().post("/api/v1/users", auth=key.auth, data=person)).status_code == 200
    await server.client().delete(f"/api/v1/users/{polly.id}", auth=olive.auth)
    await server.client().post(f"/api/v1/users/{polly.id}/reactivate", auth=key.auth)
    assert added.status_code == 200, added.text
    (listed,) = (await server.client().get("/api/v1/bots", auth=olive.auth)).json()["bots"]
    bot = await server.known(listed["username"])
    created = [bot, await server.known("percy@example.com"), await server.known(polly.email)]
    successor = await server.client().post("/api/v1/users/me/api_key/regenerate", auth=bot.auth)
    assert successor.status_code == 200
    created[0] = await server.known(bot.email)
    assert [await is_accepted(server, each) for each in created] == [True] * 3
    ending = await key_lists.find_ending_with(server.context, Caller(olive.account), key.id)
    assert sorted(each.account.id for each in ending.first) == sorted(each.id for each in created)
    with_account_key = await key_lists.find_ending(server.context, Caller(olive.account))
    assert {each.record.id for each in with_account_key.first} == {
        key.id,
        *(each.record.id for each in ending.first),
    }
    browser = await server.signed_in(olive)
    pages = (f"/settings/account/api-keys/{key.id}/revoke/", f"/organization/api-keys/{key.id}/revoke/")
    for page in (*pages, "/settings/account/password/"):
        question = (await browser.get(page)).text
        assert question.count("<li>the account key of ") == 3
        assert "of Percy" in question

    await server.client().delete(f"{OWN}/{key.id}", auth=olive.auth)
    assert [await is_accepted(server, each) for each in (*created, olive)] == [False, False, False, True]
    revoked = [subject for event, _, subject in await server.events() if event == "api_key:revoked"]
    assert sorted(each or 0 for each in revoked) == sorted([olive.id, *(each.id for each in created)])


async def test_an_account_key_that_a_session_generated_ends_with_no_named_key(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    key = await issued(server, hamlet.auth, scopes=ALL, expires_in_days="null")
    path = f"bots/{bot.id}/api_key/regenerate"
    assert (await server.client().post(f"/api/v1/{path}", auth=key.auth)).status_code == 200
    assert (await (await server.signed_in(hamlet)).post(f"/json/{path}")).status_code == 200
    bot = await server.known(bot.email)
    await server.client().delete(f"{OWN}/{key.id}", auth=hamlet.auth)
    assert await is_accepted(server, bot)


async def test_bots_that_an_account_key_created_keep_their_account_keys(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    path = f"/api/v1/bots/{bot.id}/api_key/regenerate"
    assert (await server.client().post(path, auth=hamlet.auth)).status_code == 200
    bot = await server.known(bot.email)
    assert (await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)).status_code == 200
    assert await is_accepted(server, bot)


async def test_an_account_that_loses_its_account_key_loses_its_devices_and_its_owner_gets_a_mail(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    olive = await server.add_person("olive", Role.OWNER)
    polly = await server.add_person("polly")
    key = await issued(server, olive.auth, scopes=ALL, expires_in_days="null")
    await server.client().delete(f"/api/v1/users/{polly.id}", auth=olive.auth)
    await server.client().post(f"/api/v1/users/{polly.id}/reactivate", auth=key.auth)
    polly = await server.known(polly.email)
    device = form(token="a1b2", appid="org.zulip.mobile")
    registered = await server.client().post("/api/v1/users/me/apns_device_token", auth=polly.auth, data=device)
    assert registered.status_code == 200
    await server.client().delete(f"{OWN}/{key.id}", auth=olive.auth)
    async with server.context.reading() as connection:
        assert not await devices.find_all(connection, polly.id)
    mail = [mail for mail in await server.mails() if mail.recipient == polly.email][-1]
    assert "was revoked by Olive" in mail.body
    assert "your own" in mail.body
    assert "Generate new ones" in mail.body


async def test_one_mail_lists_the_bots_whose_account_keys_ended_with_a_found_key(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    key = await issued(server, hamlet.auth, scopes=ALL, expires_in_days="null")
    for number in range(30):
        made = form(full_name=f"Bot {number}", short_name=f"bot{number}", bot_type=1)
        assert (await server.client().post("/api/v1/bots", auth=key.auth, data=made)).status_code == 200
    await server.client().post(POSSESSION, data={"api_key": key.api_key})
    mails = [mail for mail in await server.mails() if mail.recipient == hamlet.email]
    assert [mail.subject for mail in mails] == [
        "An API key of yours was found and revoked",
        "API keys of yours have ended",
    ]
    assert "was revoked by somebody who had it" in mails[1].body
    assert "of your bot Bot 0\n" in mails[1].body
    assert "and 10 more" in mails[1].body


async def test_an_invitation_and_the_key_of_those_who_joined_by_it_end_with_the_key_that_sent_it(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    olive = await server.add_person("olive", Role.OWNER)
    key = await issued(server, olive.auth, scopes=ALL, expires_in_days="null")
    origin = RequestOrigin("198.51.100.7", "")
    caller = Caller(olive.account, key_id=key.id)
    (_, token), (_, waiting) = await invitations.invite(server.context, caller, ["a@example.com", "b@example.com"])
    _, several = await multiuse_invitations.create(server.context, caller)
    password = Secret("thirty warm rabbits")
    await joining.accept(server.context, token, full_name="Ada", password=password, origin=origin)
    ada = await server.known("a@example.com")
    assert await is_accepted(server, ada)
    await server.client().delete(f"{OWN}/{key.id}", auth=olive.auth)
    assert not await is_accepted(server, ada)
    assert await joining.find(server.context, waiting) is None
    assert await joining.find(server.context, several) is None


async def test_a_new_account_key_does_not_end_with_a_key_that_has_ended(server_on_each: InProcessServer) -> None:
    server = server_on_each
    olive, iago = await server.add_person("olive", Role.OWNER), await server.add_person("iago", Role.ADMINISTRATOR)
    polly = await server.add_person("polly", Role.ADMINISTRATOR)
    key = await issued(server, iago.auth, scopes=ALL, expires_in_days="null")
    client = server.client()
    await client.delete(f"/api/v1/users/{polly.id}", auth=olive.auth)
    await client.post(f"/api/v1/users/{polly.id}/reactivate", auth=key.auth)
    polly = await server.known(polly.email)
    await client.delete(f"/api/v1/users/{iago.id}", auth=olive.auth)
    ending_itself = await client.post(f"/api/v1/users/{iago.id}/reactivate", auth=polly.auth)
    assert ending_itself.json()["msg"].startswith("Your API key would end with those of this account")
    await client.post(f"/api/v1/users/{iago.id}/reactivate", auth=olive.auth)
    assert not await is_accepted(server, polly)
    async with server.context.reading() as connection:
        found = await api_keys.find_account_key(connection, iago.id)
    assert found is not None
    assert found.created_with is None


async def test_what_the_owner_put_in_place_of_a_key_stays_when_that_key_is_revoked(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    first = await issued(server, hamlet.auth)
    second = await replaced(server, first, first.auth, f"{CURRENT}/regenerate")
    third = await replaced(server, second, hamlet.auth, f"{OWN}/{second.id}/regenerate", overlap_seconds=3600)
    await server.client().delete(f"{OWN}/{second.id}", auth=hamlet.auth)
    assert [await is_accepted(server, each) for each in (first, second, third)] == [False, False, True]


async def replaced(server: InProcessServer, key: NamedKey, auth: tuple[str, str], path: str, **fields: Any) -> NamedKey:
    answer = await post(server, path, auth, **fields)
    assert answer.status_code == 200, answer.text
    return NamedKey(answer.json()["id"], key.email, answer.json()["api_key"])


async def test_an_expired_key_can_be_revoked_with_what_was_created_with_it(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    keys = [await issued(server, hamlet.auth, scopes=ALL, expires_in_days="null") for _ in range(2)]
    path = f"/api/v1/bots/{bot.id}/api_key/regenerate"
    for key, found in zip(keys, (False, True), strict=True):
        assert (await server.client().post(path, auth=key.auth)).status_code == 200
        bot = await server.known(bot.email)
        await expire(server, key.id)
        assert await is_accepted(server, bot)
        if found:
            await server.client().post(POSSESSION, data={"api_key": key.api_key})
        else:
            assert (await server.client().delete(f"{OWN}/{key.id}", auth=hamlet.auth)).status_code == 200
        assert not await is_accepted(server, bot)


async def test_a_new_account_key_ends_every_key_of_the_account(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    browser = await server.signed_in(hamlet)
    keys = [await issued(server, hamlet.auth), await issued(server, hamlet.auth, bot=bot)]
    by_session = await browser.post(f"/json/bots/{bot.id}/api_keys", data=form(name="by session"))
    kept = NamedKey(by_session.json()["id"], bot.email, by_session.json()["api_key"])
    ending = await key_lists.find_ending(server.context, Caller(hamlet.account))
    assert [(each.record.id, each.account.id) for each in ending.first] == [
        (keys[0].id, hamlet.id),
        (keys[1].id, bot.id),
    ]
    await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    assert [await is_accepted(server, each) for each in (*keys, kept)] == [False, False, True]


@pytest.mark.parametrize("change", ["reactivate", "owner"])
async def test_reactivation_and_a_new_owner_end_named_keys(server_on_each: InProcessServer, change: str) -> None:
    server = server_on_each
    hamlet, cordelia = await server.add_person("hamlet"), await server.add_person("cordelia")
    bot = await server.add_bot(hamlet, "hambot")
    browser = await server.signed_in(hamlet)
    answer = await browser.post(f"/json/bots/{bot.id}/api_keys", data=form(name="by session"))
    key = NamedKey(answer.json()["id"], bot.email, answer.json()["api_key"])
    if change == "owner":
        await server.client().patch(f"/api/v1/bots/{bot.id}", auth=hamlet.auth, data=form(bot_owner_id=cordelia.id))
    else:
        await server.client().delete(f"/api/v1/bots/{bot.id}", auth=hamlet.auth)
        refused = await server.client().get(CURRENT, auth=key.auth)
        assert refused.json()["msg"] == "Account is deactivated"
        await server.client().post(f"/api/v1/users/{bot.id}/reactivate", auth=hamlet.auth)
    assert not await is_accepted(server, key)
