"""Named keys: shown once, with scopes, an end and networks, replaced with an overlap, revoked together with the keys
that they created.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from keybearer.server.api.named_keys import ENDPOINTS
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.grants import FULL
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.named_keys import NewKey
from keybearer.server.services import named_keys, sessions
from keybearer.server.services.housekeeping import mail_about_ends
from keybearer.server.services.key_uses import UseRecorder
from keybearer.server.storage import api_keys
from keybearer.server.storage.tables import api_keys as table
from keybearer.server.storage.tables import sessions as sessions_table
from tests.in_process import InProcessServer, Known
from tests.server.named_keys import (
    CURRENT,
    OWN,
    POSSESSION,
    NamedKey,
    end_at,
    entries,
    expire,
    form,
    is_accepted,
    issue,
    issued,
    late_use,
    post,
    status_and_code,
)
from tests.server.test_regeneration import mail_subjects

PATIENCE = 20.0


@pytest.fixture
async def hamlet(server: InProcessServer) -> Known:
    return await server.add_person("hamlet")


async def test_a_named_key_is_shown_once_stored_as_a_digest_and_listed_without_its_text(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    key = await issued(server, hamlet.auth, name="backup script", expires_in_days=30, networks=["198.51.100.0/24"])
    profile = await server.client().get("/api/v1/users/me", auth=key.auth)
    assert profile.json()["email"] == hamlet.email
    account_key, named = await entries(server, hamlet.auth)
    assert (account_key["is_account_key"], account_key["scopes"]) == (True, ["read", "send", "manage", "keys"])
    assert {name: named[name] for name in ("id", "name", "scopes", "is_account_key", "created_by", "networks")} == {
        "id": key.id,
        "name": "backup script",
        "scopes": ["read", "send"],
        "is_account_key": False,
        "created_by": hamlet.id,
        "networks": ["198.51.100.0/24"],
    }
    assert named["expires_at"] == named["created_at"] + 30 * 86400
    listed = await server.client().get(OWN, auth=hamlet.auth)
    assert key.api_key not in listed.text
    assert hamlet.api_key not in listed.text
    async with server.context.reading() as connection:
        (row,) = (await connection.execute(select(table).where(table.c.id == key.id))).all()
    assert row.sealed is None
    assert key.api_key.encode() not in b"".join(value for value in row if isinstance(value, bytes))


async def test_each_use_is_attributed_to_its_key(server: InProcessServer, hamlet: Known) -> None:
    first, second = await issued(server, hamlet.auth, name="first"), await issued(server, hamlet.auth, name="second")
    uses = UseRecorder(server.context)
    uses.note(second.id, RequestOrigin("203.0.113.9", "curl"))
    await uses.write()
    by_id = {entry["id"]: entry for entry in await entries(server, hamlet.auth)}
    assert (by_id[second.id]["last_used_address"], by_id[second.id]["last_used_client"]) == ("203.0.113.9", "curl")
    assert by_id[first.id]["last_used_at"] is None


async def test_a_key_can_only_be_renamed_or_narrowed(server: InProcessServer, hamlet: Known) -> None:
    key = await issued(server, hamlet.auth, expires_in_days=30, networks=["198.51.100.0/24"])

    async def patch(**fields: Any) -> int:
        return (await server.client().patch(f"{OWN}/{key.id}", auth=hamlet.auth, data=form(**fields))).status_code

    wider: list[dict[str, Any]] = [
        {"scopes": ["read", "send", "manage"]},
        {"expires_in_days": 60},
        {"expires_in_days": None},
        {"networks": []},
        {"networks": ["198.51.0.0/16"]},
    ]
    assert [await patch(**each) for each in wider] == [400] * len(wider)
    assert await patch(name="renamed", scopes=["read"], expires_in_days=7, networks=["198.51.100.7"]) == 200
    entry = (await entries(server, hamlet.auth))[1]
    assert (entry["name"], entry["scopes"], entry["networks"]) == ("renamed", ["read"], ["198.51.100.7/32"])
    log = (await (await server.signed_in(hamlet)).get("/settings/security-log/")).text
    assert "You renamed your API key “script” to “renamed” and narrowed it: scopes, end, networks." in log


async def test_a_key_is_refused_with_403_outside_its_networks(server: InProcessServer, hamlet: Known) -> None:
    key = await issued(server, hamlet.auth, networks=["203.0.113.0/24", "2001:db8::/32"])
    elsewhere = await server.client().get("/api/v1/users/me", auth=key.auth)
    assert status_and_code(elsewhere) == (403, "NETWORK_NOT_ALLOWED")
    for address in ("203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7"):
        answer = await server.client(address=address).get("/api/v1/users/me", auth=key.auth)
        assert answer.status_code == 200, address


async def test_attempts_from_another_network_count_as_failures(server: InProcessServer, hamlet: Known) -> None:
    key = await issued(server, hamlet.auth, networks=["203.0.113.0/24"])
    client = server.client(address="192.0.2.55")
    statuses = [(await client.get("/api/v1/users/me", auth=key.auth)).status_code for _ in range(62)]
    assert (statuses[0], statuses[-1]) == (403, 429)


async def test_an_expired_key_is_refused_like_a_revoked_one_and_its_late_use_is_shown(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    key = await issued(server, hamlet.auth, expires_in_days=7)
    soon = await server.client().get("/api/v1/users/me", auth=key.auth)
    assert soon.headers["keybearer-key-expires"].endswith("Z")
    assert "keybearer-key-expires" not in (await server.client().get("/api/v1/users/me", auth=hamlet.auth)).headers
    missing = await server.client().get("/user_uploads/1/aa/none/none.txt", auth=key.auth)
    assert (missing.status_code, missing.headers["keybearer-key-expires"][-1]) == (404, "Z")
    await expire(server, key.id)
    answer = await server.client().get("/api/v1/users/me", auth=key.auth)
    assert (answer.status_code, answer.json()["msg"]) == (401, "Invalid API key")
    await late_use(server, key.id)
    assert (hamlet.email, "An API key that has ended is still used") in await mail_subjects(server)
    assert [entry["id"] for entry in await entries(server, hamlet.auth)] != [key.id]


async def test_the_alarm_about_an_ended_key_is_mailed_once(server: InProcessServer, hamlet: Known) -> None:
    key = await issued(server, hamlet.auth, name="old script")
    await server.client().delete(f"{OWN}/{key.id}", auth=hamlet.auth)
    for _ in range(2):
        recorder = UseRecorder(server.context)  # each is a separate worker that has mailed nothing yet
        recorder.note_late(key.id, hamlet.account, RequestOrigin("203.0.113.5", "old client"))
        await asyncio.gather(*recorder._late)
    (alarm,) = [mail for mail in await server.mails() if mail.subject == "An API key that has ended is still used"]
    assert "old script" in alarm.body
    assert "203.0.113.5" in alarm.body
    assert "/settings/security-log/" in alarm.body


async def test_the_organization_decides_how_long_keys_live(server_on_each: InProcessServer) -> None:
    server = server_on_each
    olive, hamlet = await server.add_person("olive", Role.OWNER), await server.add_person("hamlet")
    endless = await issued(server, hamlet.auth, name="endless")
    policy = form(longest_api_key_days=90, default_api_key_days=30, api_keys_must_end=True)
    changed = await server.client().patch("/api/v1/realm", auth=olive.auth, data=policy)
    assert changed.json()["longest_api_key_days"] == 90
    assert (await issue(server, hamlet.auth, expires_in_days=None)).status_code == 400
    assert (await issue(server, hamlet.auth, expires_in_days=91)).status_code == 400
    usual = await issued(server, hamlet.auth)
    anew = (await post(server, f"{OWN}/{endless.id}/regenerate", hamlet.auth)).json()["id"]
    by_id = {entry["id"]: entry for entry in await entries(server, hamlet.auth)}
    lives = [by_id[key_id]["expires_at"] - by_id[key_id]["created_at"] for key_id in (usual.id, anew)]
    assert lives == [30 * 86400] * 2
    contradiction = form(default_api_key_days=None)
    assert (await server.client().patch("/api/v1/realm", auth=olive.auth, data=contradiction)).status_code == 400


async def test_owners_are_told_seven_days_and_one_day_before_a_key_ends(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    now = server.context.clock()
    for name, days in (("far", 30), ("week", 6), ("day", 0.5)):
        key = await issued(server, hamlet.auth, bot=bot, name=name, expires_in_days=30)
        await end_at(server, key.id, now + timedelta(days=days))
    for _ in range(2):
        await mail_about_ends(server.context)
    texts = [mail.body for mail in await server.mails() if mail.subject == "An API key ends soon"]
    assert sorted(name for name in ("far", "week", "day") for text in texts if f"“{name}”" in text) == ["day", "week"]


async def test_each_mail_about_an_end_is_sent_once_however_many_workers_look(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    names = [f"key {number}" for number in range(8)]
    for name in names:
        key = await issued(server, hamlet.auth, name=name, expires_in_days=30)
        await end_at(server, key.id, server.context.clock() + timedelta(days=3))
    await asyncio.gather(*(mail_about_ends(server.context) for _ in range(6)))
    texts = "".join(mail.body for mail in await server.mails() if mail.subject == "An API key ends soon")
    assert [texts.count(f"“{name}”") for name in names] == [1] * len(names)


async def test_a_regenerated_key_keeps_its_grant_and_both_live_until_the_overlap_ends(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    key = await issued(server, hamlet.auth, expires_in_days=30, networks=["198.51.100.0/24"])
    before = (await entries(server, hamlet.auth))[1]
    answer = await post(server, f"{OWN}/{key.id}/regenerate", hamlet.auth, overlap_seconds=3600)
    new = NamedKey(answer.json()["id"], hamlet.email, answer.json()["api_key"])
    assert [await is_accepted(server, each) for each in (key, new)] == [True, True]
    by_id = {entry["id"]: entry for entry in await entries(server, hamlet.auth)}
    for field in ("name", "scopes", "networks", "expires_at"):
        assert by_id[new.id][field] == before[field]
    assert by_id[key.id]["replaced_by"] == new.id
    again = await post(server, f"{OWN}/{key.id}/regenerate", hamlet.auth)
    assert again.status_code == 400
    await expire(server, key.id)
    assert [await is_accepted(server, each) for each in (key, new)] == [False, True]


async def test_at_most_two_generations_live(server: InProcessServer, hamlet: Known) -> None:
    generations = [await issued(server, hamlet.auth)]
    for _ in range(2):
        answer = await post(server, f"{OWN}/{generations[-1].id}/regenerate", hamlet.auth, overlap_seconds=86400)
        generations.append(NamedKey(answer.json()["id"], hamlet.email, answer.json()["api_key"]))
    assert [await is_accepted(server, each) for each in generations] == [False, True, True]
    await server.client().delete(f"{OWN}/{generations[-1].id}", auth=hamlet.auth)
    assert [await is_accepted(server, each) for each in generations] == [False, False, False]


async def test_a_key_can_replace_itself_whatever_its_scopes(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    hook = await server.add_bot(hamlet, "hook", BotType.INCOMING_WEBHOOK)
    key = await issued(server, hamlet.auth, bot=hook, scopes=["send"])
    assert (await server.client().get(CURRENT, auth=key.auth)).json()["scopes"] == ["send"]
    answer = await post(server, f"{CURRENT}/regenerate", key.auth)
    new = NamedKey(answer.json()["id"], hook.email, answer.json()["api_key"])
    assert [await is_accepted(server, each) for each in (key, new)] == [False, True]
    assert (await post(server, f"{CURRENT}/regenerate", hamlet.auth)).status_code == 400


@pytest.mark.parametrize("how", ["by its owner", "by possession"])
async def test_a_revoked_key_leaves_no_successor_that_it_made_itself(server_on_each: InProcessServer, how: str) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    stolen, rotated = (
        await issued(server, hamlet.auth, scopes=["read"]),
        await issued(server, hamlet.auth, name="rotated"),
    )

    async def successor(path: str, auth: tuple[str, str]) -> NamedKey:
        answer = (await post(server, f"{path}/regenerate", auth, overlap_seconds=86400)).json()
        return NamedKey(answer["id"], hamlet.email, answer["api_key"])

    by_thief = await successor(CURRENT, stolen.auth)
    by_owner = await successor(f"{OWN}/{rotated.id}", hamlet.auth)
    assert [await is_accepted(server, key) for key in (stolen, by_thief, rotated, by_owner)] == [True] * 4
    for key in (stolen, rotated):
        if how == "by possession":
            await server.client().post(POSSESSION, data={"api_key": key.api_key})
        else:
            await server.client().delete(f"{OWN}/{key.id}", auth=hamlet.auth)
    live = [await is_accepted(server, key) for key in (stolen, by_thief, rotated, by_owner)]
    assert live == [False, False, False, True]


async def test_a_named_key_never_receives_the_account_key(server: InProcessServer, hamlet: Known) -> None:
    key = await issued(server, hamlet.auth, scopes=["read", "send", "manage", "keys"])
    answer = await server.client().post("/api/v1/users/me/api_key/regenerate", auth=key.auth)
    assert status_and_code(answer) == (403, "NAMED_KEY")
    assert await is_accepted(server, hamlet)


async def test_the_account_key_cannot_be_used_as_a_named_key(server: InProcessServer, hamlet: Known) -> None:
    (account_key,) = await entries(server, hamlet.auth)
    path = f"{OWN}/{account_key['id']}"
    statuses = [
        (await server.client().patch(path, auth=hamlet.auth, data=form(name="renamed"))).status_code,
        (await server.client().delete(path, auth=hamlet.auth)).status_code,
        (await post(server, f"{path}/regenerate", hamlet.auth)).status_code,
    ]
    assert statuses == [400] * 3
    assert await is_accepted(server, hamlet)


async def test_administrators_can_list_and_revoke_every_key_and_others_cannot(server_on_each: InProcessServer) -> None:
    server = server_on_each
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    key = await issued(server, hamlet.auth, name="of hamlet")
    everybodys = await entries(server, iago.auth, "/api/v1/api_keys")
    assert {(entry["user_id"], entry["is_account_key"]) for entry in everybodys} == {
        (iago.id, True),
        (hamlet.id, True),
        (hamlet.id, False),
    }
    assert [entry["id"] for entry in await entries(server, iago.auth, f"/api/v1/api_keys?after_id={key.id - 1}")] == [
        key.id
    ]
    assert (await server.client().get("/api/v1/api_keys", auth=hamlet.auth)).status_code == 400
    assert (await server.client().delete(f"/api/v1/api_keys/{key.id}", auth=iago.auth)).status_code == 200
    assert not await is_accepted(server, key)
    assert (hamlet.email, "An API key of yours was revoked") in await mail_subjects(server)


async def test_a_session_can_use_keys_only_with_a_password_from_the_last_ten_minutes(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    browser = await server.signed_in(hamlet)
    assert (await browser.get("/json/users/me/api_keys")).status_code == 200
    (session,) = await sessions.find_all(server.context, Caller(hamlet.account))
    long_ago = server.context.clock() - timedelta(minutes=11)
    async with server.context.change(None) as change:
        await change.connection.execute(sessions_table.update().values(confirmed_at=long_ago))
    for answer in (
        await browser.get("/json/users/me/api_keys"),
        await browser.post("/json/users/me/api_keys", data=form(name="stolen")),
        await browser.get("/json/bots"),
    ):
        assert status_and_code(answer) == (403, "PASSWORD_NEEDED")
    by_session = Caller(hamlet.account, session_id=session.id)
    with pytest.raises(Exception, match="password"):  # also in the transaction
        await named_keys.create(server.context, _confirming(by_session), NewKey("late"))


def _confirming(caller: Caller) -> Caller:
    (endpoint,) = [each for each in ENDPOINTS if each.name == "POST users/me/api_keys"]
    return caller.under(endpoint.rule)


async def test_a_poll_ends_when_its_key_or_the_overlap_ends(server: InProcessServer, hamlet: Known) -> None:
    ending = NewKey("ending", end=timedelta(seconds=1))
    short = await named_keys.create(server.context, Caller(hamlet.account), ending)
    replaced = await issued(server, hamlet.auth)

    async def poll(auth: tuple[str, str]) -> asyncio.Task[httpx2.Response]:
        queue = (await post(server, "/api/v1/register", auth, event_types=["message"])).json()["queue_id"]
        query = {"queue_id": queue, "last_event_id": "-1"}
        return asyncio.create_task(server.client().get("/api/v1/events", params=query, auth=auth, timeout=None))

    polls = [await poll((hamlet.email, short.api_key.reveal())), await poll(replaced.auth)]
    await post(server, f"{OWN}/{replaced.id}/regenerate", hamlet.auth, overlap_seconds=1)
    for each in polls:
        answer = await asyncio.wait_for(each, PATIENCE)
        assert (answer.status_code, answer.json()["msg"]) == (401, "Invalid API key")


async def test_named_keys_of_an_account_are_capped(server: InProcessServer, hamlet: Known) -> None:
    async with server.context.change(None, holding=[hamlet.id], for_change=True) as change:
        for number in range(Cap.API_KEYS.most):
            await named_keys.issue(change, hamlet.account, f"key {number}", FULL, created_with=None)
    answer = await issue(server, hamlet.auth)
    assert "50 named API keys" in answer.json()["msg"]


async def test_a_named_key_may_make_half_of_its_accounts_calls(server: InProcessServer, hamlet: Known) -> None:
    key = await issued(server, hamlet.auth)
    client = server.client()
    statuses = {(await client.get(CURRENT, auth=key.auth)).status_code for _ in range(101)}
    assert statuses == {200, 429}
    assert await is_accepted(server, hamlet)


async def test_the_holder_of_a_key_can_revoke_it_and_learns_nothing(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    key = await issued(server, hamlet.auth, name="leaked")
    stranger = server.client(address="203.0.113.77")
    texts = [key.api_key, key.api_key, "kb" + "0" * 30, "no key at all"]
    answers = [await stranger.post(POSSESSION, data={"api_key": text}) for text in texts]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert not await is_accepted(server, key)
    assert await is_accepted(server, hamlet)
    subjects = [subject for _, subject in await mail_subjects(server)]
    assert subjects.count("An API key of yours was found and revoked") == 1
    assert [event for event, _, _ in await server.events()].count("api_key:revoked_by_possession") == 1


async def test_nobody_finds_out_unnoticed_whether_a_key_is_live(server_on_each: InProcessServer) -> None:
    server = server_on_each
    await server.add_person("olive", Role.OWNER)
    hamlet = await server.add_person("hamlet")
    live, dead = await issued(server, hamlet.auth), await issued(server, hamlet.auth, name="old script")
    await server.client().delete(f"{OWN}/{dead.id}", auth=hamlet.auth)
    stranger = server.client(address="203.0.113.77")
    page = await stranger.get("/login/")
    token = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    forms = [{"csrfmiddlewaretoken": token, "api_key": key.api_key} for key in (live, dead)]
    assert [(await stranger.post("/zuliprc/", data=each)).status_code for each in forms] == [200, 400]
    by_id = {entry["id"]: entry for entry in await entries(server, hamlet.auth)}
    assert by_id[live.id]["last_used_address"] == "203.0.113.77"
    assert (await late_use(server, dead.id)).address == "203.0.113.77"
    assert (hamlet.email, "An API key that has ended is still used") in await mail_subjects(server)
    log = (await (await server.signed_in(hamlet)).get("/settings/security-log/")).text
    assert "Your old key “old script” is still being used from 203.0.113.77" in log

    await server.client().delete("/api/v1/users/me", auth=hamlet.auth)
    assert (await stranger.post("/zuliprc/", data=forms[0])).status_code != 200


async def test_a_key_that_nobody_used_for_ninety_days_is_flagged(server: InProcessServer, hamlet: Known) -> None:
    key = await issued(server, hamlet.auth)
    async with server.context.change(None) as change:
        long_ago = change.now - timedelta(days=91)
        await change.connection.execute(table.update().where(table.c.id == key.id).values(created_at=long_ago))
    assert [entry["is_unused"] for entry in await entries(server, hamlet.auth)][1] is True
    async with server.context.reading() as connection:
        record = await api_keys.find(connection, key.id)
    assert record is not None
    assert record.is_unused(server.context.clock())


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"scopes": ["everything"]},
        {"scopes": []},
        {"scopes": "read"},
        {"scopes": {"read": 1}},
        {"expires_in_days": 0},
        {"expires_in_days": 4000},
        {"expires_in_days": True},
        {"networks": ["10.0.0.1/8"]},
        {"networks": ["somewhere"]},
        {"networks": ["fe80::1%a b"]},
        {"networks": [7]},
        {"networks": [f"10.0.{number}.0/24" for number in range(21)]},
    ],
    ids=str,
)
async def test_invalid_requests_are_refused_with_a_reason(
    server: InProcessServer, hamlet: Known, fields: dict[str, Any]
) -> None:
    answer = await issue(server, hamlet.auth, **{"name": "script", **fields})
    assert answer.status_code == 400, answer.text
    assert len(answer.json()["msg"]) > 10
