"""Passwords: hashed with argon2id, hard to guess, limited when they fail, reset by a link that reveals nothing."""

from __future__ import annotations

import asyncio
import re

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.errors import Refused, TooManyAttempts, WeakPassword
from keybearer.server.services import accounts as people
from keybearer.server.services import deactivation, handovers, invitations, joining, passwords, sessions
from keybearer.server.storage import accounts
from tests.in_process import PASSWORD, InProcessServer, Known

NEW = "another good passphrase 9375"
HERE, ELSEWHERE = RequestOrigin("198.51.100.7", "test"), RequestOrigin("203.0.113.99", "test")


async def fetch(
    server: InProcessServer, email: str, password: str, *, address: str = HERE.address
) -> dict[str, object]:
    response = await server.client(address=address).post(
        "/api/v1/fetch_api_key", data={"username": email, "password": password}
    )
    return {"status": response.status_code, **response.json(), **response.headers}


async def last_mail(server: InProcessServer) -> tuple[str, str, str]:
    mail = (await server.mails())[-1]
    return mail.recipient, mail.subject, mail.body


async def stored_hash(server: InProcessServer, known: Known) -> str:
    async with server.context.reading() as connection:
        stored = await accounts.password_hash(connection, known.id)
    assert stored is not None
    return stored


async def test_a_password_is_stored_as_argon2id(server: InProcessServer) -> None:
    account = await people.add_by_operator(
        server.context, email="new@example.com", full_name="New Person", role=Role.MEMBER, password=Secret(NEW)
    )
    stored = await stored_hash(server, Known(account, ""))
    parameters = extract_parameters(stored)
    assert parameters.type is Type.ID
    assert parameters.memory_cost >= 19 * 1024
    assert NEW not in stored


async def test_a_hash_with_weaker_parameters_is_renewed_when_the_password_is_given(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    before = await stored_hash(server, hamlet)
    await fetch(server, hamlet.email, PASSWORD)
    after = await stored_hash(server, hamlet)
    assert extract_parameters(after).memory_cost > extract_parameters(before).memory_cost


@pytest.mark.parametrize(
    "password", ["", " " * 20, "short7!", "password123", "hamlet@example.com", "x" * 129, "qwertyuiop"]
)
def test_a_password_that_is_short_long_or_easy_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        passwords.check_strength(Secret(password), known=("hamlet@example.com", "Hamlet"))
    assert refused.value.wire_message == "New password is too weak!"
    assert password not in refused.value.message or len(password) < 8


@pytest.mark.parametrize(
    "password", ["eightch4", "correct horse battery staple", "ж" * 5 + "ёqz31", "9" + "aZ#q" * 31 + "xyz"]
)
def test_a_password_of_8_to_128_characters_of_any_kind_is_accepted(password: str) -> None:
    passwords.check_strength(Secret(password))


async def test_the_sixth_wrong_password_is_answered_as_too_many(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    answers = [await fetch(server, hamlet.email, "wrong") for _ in range(6)]
    assert [answer["status"] for answer in answers] == [401] * 5 + [429]
    assert [answer["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
    last = answers[-1]
    assert (last["code"], last["msg"]) == ("RATE_LIMIT_HIT", "API usage exceeded rate limit")
    assert str(last["retry-after"]) == last["retry-after"]
    assert 0 < float(str(last["retry-after"])) <= 1800


async def test_a_parallel_burst_is_counted_one_by_one(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    answers = await asyncio.gather(*(fetch(server, hamlet.email, "wrong") for _ in range(12)))
    assert sorted(answer["status"] for answer in answers) == [401] * 5 + [429] * 7  # type: ignore[type-var]


@pytest.mark.parametrize("spelling", ["HAMLET@EXAMPLE.COM", " hamlet@example.com ", "Hamlet@Example.com"])
async def test_other_spellings_of_the_address_are_counted_together(server: InProcessServer, spelling: str) -> None:
    hamlet = await server.add_person("hamlet")
    for email in [spelling] * 3 + [hamlet.email] * 2:
        assert (await fetch(server, email, "wrong"))["status"] == 401
    assert (await fetch(server, spelling, "wrong"))["status"] == 429


async def test_a_stranger_elsewhere_cannot_lock_the_owner_out(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    for _ in range(7):
        await fetch(server, hamlet.email, "wrong", address=ELSEWHERE.address)
    assert (await fetch(server, hamlet.email, PASSWORD))["status"] == 200


async def test_one_ipv6_customer_counts_as_one_address(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    for number in range(5):
        await fetch(server, hamlet.email, "wrong", address=f"2001:db8:1:2::{number}")
    assert (await fetch(server, hamlet.email, "wrong", address="2001:db8:1:2:ffff::1"))["status"] == 429
    assert (await fetch(server, hamlet.email, "wrong", address="2001:db8:1:3::1"))["status"] == 401


async def test_a_correct_password_resets_the_count(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    for _ in range(2):
        for _ in range(4):
            assert (await fetch(server, hamlet.email, "wrong"))["status"] == 401
        assert (await fetch(server, hamlet.email, PASSWORD))["status"] == 200


async def test_an_unknown_address_is_counted_and_answered_alike(server: InProcessServer) -> None:
    known = await server.add_person("hamlet")
    for _ in range(6):
        real = await fetch(server, known.email, "wrong")
        unreal = await fetch(server, "nobody@example.com", "wrong")
        for name in ("status", "msg", "code", "x-ratelimit-remaining"):
            assert real[name] == unreal[name]


async def test_pages_and_the_wire_count_together(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    for _ in range(5):
        with pytest.raises(Refused):
            await sessions.sign_in(server.context, hamlet.email, Secret("wrong"), HERE)
    with pytest.raises(TooManyAttempts):
        await sessions.sign_in(server.context, hamlet.email, Secret(PASSWORD), HERE)
    assert (await fetch(server, hamlet.email, "wrong"))["status"] == 429


async def test_only_somebody_who_knows_the_password_is_told_that_an_account_is_deactivated(
    server: InProcessServer,
) -> None:
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    await server.client().delete(f"/api/v1/users/{hamlet.id}", auth=iago.auth)
    assert (await fetch(server, hamlet.email, "wrong"))["code"] == "AUTHENTICATION_FAILED"
    assert (await fetch(server, hamlet.email, PASSWORD))["code"] == "USER_DEACTIVATED"


async def test_too_many_wrong_passwords_in_the_settings_are_answered_with_the_seconds_to_wait(
    server: InProcessServer,
) -> None:
    browser = await server.signed_in(await server.add_person("hamlet"))
    for _ in range(5):
        wrong = await browser.patch("/json/settings", data={"old_password": "wrong", "new_password": NEW})
        assert wrong.json()["msg"] == "Wrong password!"
    last = await browser.patch("/json/settings", data={"old_password": "wrong", "new_password": NEW})
    assert last.status_code == 400
    assert re.fullmatch(r"You're making too many attempts! Try again in \d+ seconds\.", last.json()["msg"])


async def test_if_one_setting_is_refused_none_is_changed(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    form = {"old_password": PASSWORD, "new_password": NEW, "full_name": "*"}
    refused = await server.client().patch("/api/v1/settings", auth=hamlet.auth, data=form)
    assert (refused.status_code, refused.json()["msg"]) == (400, "Name too short!")
    assert (await fetch(server, hamlet.email, PASSWORD))["status"] == 200


async def test_a_reset_link_works_once(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    await passwords.request_reset(server.context, hamlet.email.upper(), HERE)
    recipient, _, body = await last_mail(server)
    assert recipient == hamlet.email
    found = re.search(r"/accounts/password/reset/([\w-]+)/", body)
    assert found is not None
    token = Secret(found[1])
    assert await passwords.find_reset(server.context, token) is not None
    await passwords.reset(server.context, token, Secret(NEW), HERE)
    with pytest.raises(Refused, match="used or has expired"):
        await passwords.reset(server.context, token, Secret(PASSWORD), HERE)
    assert (await fetch(server, hamlet.email, NEW))["status"] == 200


async def test_of_two_uses_of_a_link_at_once_one_succeeds(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    token = await passwords.reset_link_by_operator(server.context, hamlet.email)
    outcomes = await asyncio.gather(
        *(passwords.reset(server.context, token, Secret(new), HERE) for new in (NEW, NEW + " too")),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Account", "Refused"]


async def test_of_two_links_of_an_account_used_at_once_one_succeeds(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    for _ in range(4):
        tokens = [await passwords.reset_link_by_operator(server.context, hamlet.email) for _ in range(4)]
        outcomes = await asyncio.gather(
            *(passwords.reset(server.context, token, Secret(NEW), HERE) for token in tokens), return_exceptions=True
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Account", *["Refused"] * 3]


async def test_of_two_changes_of_a_password_at_once_one_succeeds(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    actor, wanted = Caller(hamlet.account, HERE), [NEW, NEW + " too"]
    outcomes = await asyncio.gather(
        *(passwords.change_own(server.context, actor, old=Secret(PASSWORD), new=Secret(new)) for new in wanted),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Quota", "Refused"]


async def test_a_sign_in_with_the_old_password_during_a_reset_fails(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    link = await passwords.reset_link_by_operator(server.context, hamlet.email)
    slow = PasswordHasher(time_cost=150, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    async with server.context.change(None) as change:
        await accounts.set_password_hash(change.connection, hamlet.id, slow)
    signing_in = [
        asyncio.create_task(enter(server.context, hamlet.email, Secret(PASSWORD), HERE))
        for enter in (sessions.sign_in, sessions.fetch_key)
    ]
    await asyncio.sleep(0.1)  # checking this password takes long enough for the other to be set
    await passwords.reset(server.context, link, Secret(NEW), HERE)
    outcomes = await asyncio.gather(*signing_in, return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Unauthenticated"] * 2
    assert await sessions.find_all(server.context, Caller(hamlet.account, HERE)) == []
    assert (await fetch(server, hamlet.email, PASSWORD))["status"] == 401
    assert (await fetch(server, hamlet.email, NEW))["status"] == 200


async def test_a_weak_new_password_does_not_use_up_the_link(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    token = await passwords.reset_link_by_operator(server.context, hamlet.email)
    with pytest.raises(WeakPassword):
        await passwords.reset(server.context, token, Secret("weak"), HERE)
    await passwords.reset(server.context, token, Secret(NEW), HERE)


async def test_a_changed_password_and_a_deactivated_account_end_open_links(server: InProcessServer) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    links = [await passwords.reset_link_by_operator(server.context, each.email) for each in (hamlet, othello)]
    await passwords.change_own(server.context, Caller(hamlet.account, HERE), old=Secret(PASSWORD), new=Secret(NEW))
    await deactivation.deactivate_person(server.context, None, othello.id)
    assert [await passwords.find_reset(server.context, link) for link in links] == [None, None]


@pytest.mark.parametrize("with_key", [False, True])
async def test_a_new_password_with_a_new_key_ends_what_was_made_for_others(
    server_on_each: InProcessServer, with_key: bool
) -> None:
    server = server_on_each
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    bot, caller = await server.add_bot(iago, "iagobot"), Caller(iago.account)
    ((_, invited),) = await invitations.invite(server.context, caller, ["yorick@example.com"])
    handed_over = await handovers.create(server.context, caller, bot.id)
    await passwords.change_own(server.context, caller, old=Secret(PASSWORD), new=Secret(NEW), replaces_key=with_key)
    still_opens = [
        await joining.find(server.context, invited) is not None,
        await handovers.accept(server.context, handed_over, ELSEWHERE) is not None,
    ]
    assert still_opens == [not with_key, not with_key]


async def test_requesting_a_reset_writes_the_same_for_every_address(server: InProcessServer) -> None:
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    await deactivation.deactivate_person(server.context, None, iago.id)

    async def rows() -> list[int]:
        counted = []
        async with server.context.reading() as connection:
            for table in ("links", "audit", "attempts"):
                found = await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")  # noqa: S608  ours
                counted.append(found.scalar_one())
        return [*counted, len(await server.mails())]

    written = []
    for email in (hamlet.email, iago.email, bot.email, "nobody@example.com"):
        before = await rows()
        await passwords.request_reset(server.context, email, HERE)
        written.append([after - earlier for after, earlier in zip(await rows(), before, strict=True)])
    assert written == [[1, 1, 2, 1]] * 4


async def test_resets_are_limited_by_address_without_locking_the_owner_out(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    for email in (hamlet.email, "nobody@example.com"):
        for _ in range(2):
            await passwords.request_reset(server.context, email, ELSEWHERE)
        with pytest.raises(TooManyAttempts):
            await passwords.request_reset(server.context, email, ELSEWHERE)
    await passwords.request_reset(server.context, hamlet.email, HERE)


async def test_a_sign_in_is_reported_by_mail_but_not_to_a_new_account(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    await fetch(server, hamlet.email, PASSWORD)
    recipient, subject, body = await last_mail(server)
    assert (recipient, subject) == (hamlet.email, "New sign-in to Example")
    assert HERE.address in body
    fresh = await people.add_by_operator(
        server.context, email="fresh@example.com", full_name="Fresh", role=Role.MEMBER, password=Secret(NEW)
    )
    await fetch(server, fresh.delivery_email, NEW)
    assert (await last_mail(server))[0] == hamlet.email


async def test_mails_about_sign_ins_can_be_turned_off(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    response = await server.client().patch("/api/v1/settings", auth=hamlet.auth, data={"enable_login_emails": "false"})
    assert response.status_code == 200
    await fetch(server, hamlet.email, PASSWORD)
    assert await server.mails() == []
