"""A request that is held open acts with the rights that its caller has when its last byte arrives."""

from __future__ import annotations

import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller
from keybearer.server.services import accounts, api_keys, bots, deactivation, sessions
from keybearer.server.services.bots import BotChange
from tests.asgi import FORM_TYPE, Answer, Headers, Sending, by_key, by_session, form
from tests.in_process import PASSWORD, InProcessServer, Known
from tests.server.test_regeneration import live_keys


async def held(server: InProcessServer, method: str, path: str, who: Headers, body: bytes) -> Sending:
    """A request that has sent everything except its last byte, and whose caller has been admitted."""
    length = {"content-type": FORM_TYPE, "content-length": str(len(body))}
    sending = Sending(server.app, method, path, {**who, **length})
    await sending.hand_over(body[:-1])
    assert not sending.sent
    return sending


async def credentials(server: InProcessServer, who: Known, door: str) -> Headers:
    return by_key(who.auth) if door == "key" else by_session(await server.signed_in(who))


async def role_of(server: InProcessServer, who: Known) -> Role:
    return (await server.known(who.email)).account.role


async def demote(server: InProcessServer, owner: Known, who: Known) -> None:
    await accounts.change_person(server.context, Caller(owner.account), who.id, role=Role.MEMBER)


PROMOTION = form({"role": "200"})
PROMOTING = {
    "page": ("POST", "/organization/users/{}/", form({"role": "200", "full_name": "Iago"})),
    "session": ("PATCH", "/json/users/{}", PROMOTION),
    "key": ("PATCH", "/api/v1/users/{}", PROMOTION),
}


@pytest.mark.parametrize("door", PROMOTING)
async def test_an_administrator_demoted_in_the_meantime_cannot_promote_themselves(
    server_on_each: InProcessServer, door: str
) -> None:
    server = server_on_each
    owner = await server.add_person("olive", Role.OWNER)
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    method, path, body = PROMOTING[door]
    promoting = await held(server, method, path.format(iago.id), await credentials(server, iago, door), body)
    await demote(server, owner, iago)
    answer = await promoting.finish(body[-1:])
    assert answer.status == (403 if door == "page" else 400), answer.text
    assert ("Only administrators and owners" if door == "page" else "Insufficient permission") in answer.text
    assert await role_of(server, iago) is Role.MEMBER


@pytest.mark.parametrize("door", PROMOTING)
async def test_an_administrator_deactivated_in_the_meantime_changes_nothing(
    server_on_each: InProcessServer, door: str
) -> None:
    server = server_on_each
    owner = await server.add_person("olive", Role.OWNER)
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    method, path, body = PROMOTING[door]
    promoting = await held(server, method, path.format(hamlet.id), await credentials(server, iago, door), body)
    await deactivation.deactivate_person(server.context, Caller(owner.account), iago.id)
    check_is_shut_out(door, await promoting.finish(body[-1:]))
    assert await role_of(server, hamlet) is Role.MEMBER


def check_is_shut_out(door: str, answer: Answer) -> None:
    """Their session ended with the account: a page redirects to sign-in, the wire says that they may not sign in."""
    assert answer.status == (302 if door == "page" else 401), answer.text
    if door == "page":
        assert answer.headers["location"] == "/login/"


async def test_a_session_ended_in_the_meantime_downloads_no_new_key(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    thief, body = by_session(await server.signed_in(hamlet)), form({"format": "zuliprc"})
    download = await held(server, "POST", "/settings/account/api-key/zuliprc/", thief, body)
    await sessions.sign_out_everywhere(server.context, Caller(hamlet.account))
    new = (await api_keys.regenerate_own(server.context, Caller(hamlet.account))).api_key.reveal()
    answer = await download.finish(body[-1:])
    check_is_shut_out("page", answer)
    assert new not in answer.text
    assert hamlet.api_key not in answer.text


async def test_a_form_whose_session_ended_in_the_meantime_redirects_to_sign_in(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    browser, body = by_session(await server.signed_in(hamlet)), form({"full_name": "Another Name"})
    renaming = await held(server, "POST", "/settings/account/name/", browser, body)
    await sessions.sign_out_everywhere(server.context, Caller(hamlet.account))
    check_is_shut_out("page", await renaming.finish(body[-1:]))
    assert (await server.known(hamlet.email)).account.full_name == "Hamlet"


@pytest.mark.parametrize("path", ["/login/", "/logout/"])
async def test_a_browser_whose_earlier_session_ended_in_the_meantime_can_still_sign_in_and_out(
    server_on_each: InProcessServer, path: str
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    browser, body = by_session(await server.signed_in(hamlet)), form({"username": hamlet.email, "password": PASSWORD})
    sending = await held(server, "POST", path, browser, body)
    await sessions.sign_out_everywhere(server.context, Caller(hamlet.account))
    answer = await sending.finish(body[-1:])
    assert (answer.status, answer.headers["location"]) == (302, "/" if path == "/login/" else "/login/")
    assert ("clear-site-data" in answer.headers) is (path == "/logout/")


async def test_a_key_replaced_in_the_meantime_replaces_no_key(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    body = form({"x": "y"})
    replacing = await held(server, "POST", "/api/v1/users/me/api_key/regenerate", by_key(hamlet.auth), body)
    new = (await api_keys.regenerate_own(server.context, Caller(hamlet.account))).api_key.reveal()
    answer = await replacing.finish(body[-1:])
    assert (answer.status, answer.message) == (401, "Invalid API key")
    assert (await server.known(hamlet.email)).api_key == new
    assert await live_keys(server, hamlet.id) == 1


async def test_a_key_replaced_in_the_meantime_shows_no_profile(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    body = form({"method": "GET"})
    asking = await held(server, "POST", "/api/v1/users/me", by_key(hamlet.auth), body)
    await api_keys.regenerate_own(server.context, Caller(hamlet.account))
    answer = await asking.finish(body[-1:])
    assert (answer.status, answer.message) == (401, "Invalid API key")


@pytest.mark.parametrize("door", ["page", "session", "key"])
async def test_a_former_owner_of_a_bot_does_not_get_its_new_key(server_on_each: InProcessServer, door: str) -> None:
    server = server_on_each
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    owner = await server.add_person("olive", Role.OWNER)
    bot, headers = await server.add_bot(hamlet, "hambot"), await credentials(server, hamlet, door)
    body = form(server.once(headers["cookie"].partition("=")[2]) if door == "page" else {"x": "y"})
    path = {"page": "/settings/bots/{}/api-key/regenerate/", "session": "/json/bots/{}/api_key/regenerate"}.get(
        door, "/api/v1/bots/{}/api_key/regenerate"
    )
    replacing = await held(server, "POST", path.format(bot.id), headers, body)
    await bots.change_bot(server.context, Caller(owner.account), bot.id, BotChange(owner_id=othello.id))
    answer = await replacing.finish(body[-1:])
    assert answer.status == (403 if door == "page" else 400), answer.text
    live = (await server.known(bot.email)).api_key
    assert live not in answer.text
