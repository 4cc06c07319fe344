"""What happened between the recorded questions, without a record of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from keybearer.secret import Secret
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.attempts import AttemptKind
from keybearer.server.services import passwords
from keybearer.server.services.change import Change
from keybearer.server.storage import attempts, realms
from tests.in_process import PASSWORD
from tests.wire.play import ADDRESS, DOMAIN, PASSWORDS, Play, email_of

Step = Callable[[Play], Awaitable[object]]


def _call(who: str, method: str, path: str, **form: str) -> Step:
    async def step(play: Play) -> None:
        await play.call(who, method, path, **form)

    return step


def _wrong(email: str, times: int) -> Step:
    async def step(play: Play) -> None:
        await play.try_password(email, times)

    return step


async def _sign_in_twice(play: Play) -> None:
    await play.session("cordelia")
    await play.session("cordelia elsewhere")


async def _change_password(play: Play) -> None:
    client = await play.session("cordelia")
    response = await client.patch(
        "/json/settings", data={"old_password": PASSWORD, "new_password": PASSWORDS["cordelia:new"]}
    )
    assert response.status_code == 200, response.text


async def _reset_password(play: Play) -> None:
    token = await passwords.reset_link_by_operator(play.server.context, email_of("cordelia"))
    await passwords.reset(
        play.server.context, token, Secret(PASSWORDS["cordelia:third"]), RequestOrigin(ADDRESS, "test")
    )


async def _prepare_deactivation(play: Play) -> None:
    await play.session("othello elsewhere")
    await play.remember_key("othello")


async def _bot_of_othello(play: Play) -> None:
    await play.server.add_bot(await play.known("othello"), "othello", name="Othello Bot")


async def _deactivate_realm(play: Play) -> None:
    await _set_realm_active(play, is_active=False)


async def _set_realm_active(play: Play, *, is_active: bool) -> None:
    async def step(change: Change) -> None:
        realm = await realms.find(change.connection)
        assert realm is not None
        await realms.save(change.connection, replace(realm, is_active=is_active))

    await play.change(step)


async def _reactivate_realm(play: Play) -> None:
    await _set_realm_active(play, is_active=True)
    await play.try_password(email_of("shiva"), 1)


async def _four_wrong(play: Play) -> None:
    async def forget(change: Change) -> None:
        await attempts.forget(change.connection, AttemptKind.PASSWORD, subject=email_of("shiva"))

    await play.change(forget)
    await play.try_password(email_of("shiva"), 4)


async def _six_wrong_in_the_browser(play: Play) -> None:
    client = await play.session("iago")
    for _ in range(5):
        await client.post("/json/fetch_api_key", data={"password": "wrong"})


async def _two_hundred_calls(play: Play) -> None:
    shiva = await play.known("shiva")
    for _ in range(199):
        await play.server.client(address=ADDRESS).get("/api/v1/users/me", auth=shiva.auth)


BEFORE: dict[str, Step] = {
    "bots-create-generic-explicit-type-1": _call("hamlet", "POST", "bots", full_name="Gen One", short_name="gen1"),
    "bots-create-outgoing-webhook-slack-interface": _call(
        "hamlet",
        "POST",
        "bots",
        full_name="Out One",
        short_name="out1",
        bot_type="3",
        payload_url='"http://127.0.0.1:1/"',
    ),
    "bots-create-bad-short_name-non-ascii": _call(
        "hamlet", "POST", "bots", full_name="Suffix", short_name="suffix-bot"
    ),
    "bots-patch-role-by-member": _call("iago", "PATCH", "bots/<ID:gen1>", bot_owner_id="<ID:hamlet>"),
    "policy-set-can_create_write_only_bots_group-admins": _bot_of_othello,
    "policy-bots-create-generic-by-member": _call("desdemona", "PATCH", "realm", can_create_bots_group='{"new": 3}'),
    "password-change-wrong-old": _sign_in_twice,
    "password-change-same-session-after": _change_password,
    "password-reset-fetch-new-password": _reset_password,
    "user-deactivate-by-member": _prepare_deactivation,
    "user-reactivated-old-key": _call("iago", "POST", "users/<ID:othello>/reactivate"),
    "user-deactivate-self-key-after": _call("othello", "DELETE", "users/me"),
    "realm-deactivated-users_me": _deactivate_realm,
    "ratelimit-login-wrong-password-2": _reactivate_realm,
    "ratelimit-login-wrong-password-5": _wrong(f"shiva@{DOMAIN}", 1),
    "ratelimit-login-4-wrong-then-right-round-1": _four_wrong,
    "ratelimit-login-4-wrong-then-right-round-3": _four_wrong,
    "ratelimit-login-unknown-user-7th": _wrong(f"nobody@{DOMAIN}", 5),
    "ratelimit-json_fetch_api_key-6th-wrong": _six_wrong_in_the_browser,
    "ratelimit-api-request-201": _two_hundred_calls,
}
"""What happened before some of the questions, without a record of its own: exchange → step."""
