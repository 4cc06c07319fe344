"""Invitations: by mail, for a role that the inviter may give, used once."""

from __future__ import annotations

import asyncio
import re

import httpx2
import pytest

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.errors import Refused, WeakPassword
from keybearer.server.services import deactivation, invitations, joining, multiuse_invitations
from tests.in_process import InProcessServer, Known

PASSWORD = "a fresh passphrase of mine 5521"
HERE = RequestOrigin("203.0.113.4", "browser")
GUEST_EMAIL = "yorick@example.com"


async def invite(server: InProcessServer, who: Known, emails: str = GUEST_EMAIL, **form: str) -> httpx2.Response:
    return await server.client().post("/api/v1/invites", auth=who.auth, data={"invitee_emails": emails, **form})


async def last_token(server: InProcessServer) -> Secret:
    found = re.search(r"/join/([\w-]+)/", (await server.mails())[-1].body)
    assert found is not None
    return Secret(found[1])


async def test_an_invitation_is_mailed_and_creates_an_account_with_a_key(server_on_each: InProcessServer) -> None:
    server = server_on_each
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    assert (await invite(server, iago, invite_as="600")).json() == {"result": "success", "msg": ""}
    assert (await server.mails())[-1].recipient == GUEST_EMAIL
    token = await last_token(server)
    joined = await joining.accept(server.context, token, full_name="Yorick", password=Secret(PASSWORD), origin=HERE)
    assert (joined.account.delivery_email, joined.account.role) == (GUEST_EMAIL, Role.GUEST)
    response = await server.client().get("/api/v1/users/me", auth=(await server.known(GUEST_EMAIL)).auth)
    assert response.status_code == 200
    with pytest.raises(Refused):
        await joining.accept(server.context, token, full_name="Again", password=Secret(PASSWORD), origin=HERE)


async def test_a_list_of_brackets_does_not_block_other_requests(server: InProcessServer) -> None:
    # If reading it took time by the square of its length, this would block the worker for minutes.
    answer = await invite(server, await server.add_person("hamlet"), "<" * 300_000)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVITATION_FAILED")


@pytest.mark.parametrize(
    ("text", "emails"),
    [
        ("a@x.org, B <b@x.org>\nC <<c@x.org>", ["a@x.org", "b@x.org", "c@x.org"]),
        ("<a@x.org>,a@x.org , < a@x.org >", ["a@x.org"]),
        ("a>,<b,c> d", ["a>", "<b", "c> d"]),
    ],
)
def test_a_name_may_stand_before_an_address_in_brackets(text: str, emails: list[str]) -> None:
    assert invitations.split_emails(text) == emails


async def test_of_two_links_to_one_address_used_at_once_one_creates_the_account(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    for number in range(4):
        tokens = []
        for _ in range(2):
            await invite(server, iago, f"yorick{number}@example.com")
            tokens.append(await last_token(server))
        outcomes = await asyncio.gather(
            *(
                joining.accept(server.context, token, full_name="Yorick", password=Secret(PASSWORD), origin=HERE)
                for token in tokens
            ),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Refused", "SignedIn"]


async def test_open_invitations_are_listed_in_zulips_shape(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    await invite(server, iago, invite_expires_in_minutes="60", invite_as="300")
    (row,) = (await server.client().get("/api/v1/invites", auth=iago.auth)).json()["invites"]
    assert row == {
        "id": row["id"],
        "invited_by_user_id": iago.id,
        "invited": row["invited"],
        "expiry_date": row["invited"] + 3600,
        "invited_as": 300,
        "email": GUEST_EMAIL,
        "notify_referrer_on_join": False,
        "is_multiuse": False,
    }


async def test_people_see_their_own_invitations_and_administrators_all(server: InProcessServer) -> None:
    olive = await server.add_person("olive", Role.OWNER)
    people = [await server.add_person(name) for name in ("hamlet", "othello")]
    await server.client().patch("/api/v1/realm", auth=olive.auth, data={"can_invite_users_group": '{"new": 6}'})
    for who in people:
        await invite(server, who, f"friend-of-{who.id}@example.com")
    seen = [
        len((await server.client().get("/api/v1/invites", auth=who.auth)).json()["invites"]) for who in (*people, olive)
    ]
    assert seen == [1, 1, 2]
    of_othello = (await server.client().get("/api/v1/invites", auth=people[1].auth)).json()["invites"][0]["id"]
    for method, path in (("DELETE", f"invites/{of_othello}"), ("POST", f"invites/{of_othello}/resend")):
        response = await server.client().request(method, f"/api/v1/{path}", auth=people[0].auth)
        assert response.json()["msg"] == "Insufficient permission"


async def test_a_withdrawn_invitation_no_longer_works(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    await invite(server, iago)
    (row,) = (await server.client().get("/api/v1/invites", auth=iago.auth)).json()["invites"]
    path = f"/api/v1/invites/{row['id']}"
    assert (await server.client().delete(path, auth=iago.auth)).status_code == 200
    assert await joining.find(server.context, await last_token(server)) is None
    again = await server.client().delete(path, auth=iago.auth)
    assert again.json()["msg"] == "No such invitation"


async def test_a_mail_sent_again_ends_the_earlier_link(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    await invite(server, iago)
    before = await last_token(server)
    (row,) = (await server.client().get("/api/v1/invites", auth=iago.auth)).json()["invites"]
    response = await server.client().post(f"/api/v1/invites/{row['id']}/resend", auth=iago.auth)
    assert response.status_code == 200
    assert await joining.find(server.context, before) is None
    assert await joining.find(server.context, await last_token(server)) is not None


ROLES_GIVEN = [
    (Role.OWNER, [100, 200, 300, 400, 600]),
    (Role.ADMINISTRATOR, [200, 300, 400, 600]),
    (Role.MEMBER, [400, 600]),
]


@pytest.mark.parametrize(("role", "given"), ROLES_GIVEN)
async def test_nobody_can_invite_to_a_role_that_they_may_not_give(
    server: InProcessServer, role: Role, given: list[int]
) -> None:
    olive, who = await server.add_person("olive", Role.OWNER), await server.add_person("who", role)
    await server.client().patch("/api/v1/realm", auth=olive.auth, data={"can_invite_users_group": '{"new": 6}'})
    allowed = [
        number
        for number in (100, 200, 300, 400, 600)
        if (await invite(server, who, f"a{number}@example.com", invite_as=str(number))).status_code == 200
    ]
    assert allowed == given


async def test_an_invitation_ends_when_its_sender_may_no_longer_invite(server: InProcessServer) -> None:
    olive, iago = await server.add_person("olive", Role.OWNER), await server.add_person("iago", Role.ADMINISTRATOR)
    await invite(server, iago, invite_as="200")
    token = await last_token(server)
    await server.client().patch(f"/api/v1/users/{iago.id}", auth=olive.auth, data={"role": "400"})
    with pytest.raises(Refused):
        await joining.accept(server.context, token, full_name="Yorick", password=Secret(PASSWORD), origin=HERE)


async def test_a_deactivated_inviters_invitations_are_withdrawn(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    await invite(server, iago)
    await deactivation.deactivate_person(server.context, None, iago.id)
    assert await joining.find(server.context, await last_token(server)) is None


async def test_a_weak_password_does_not_use_up_an_invitation(server: InProcessServer) -> None:
    await invite(server, await server.add_person("iago", Role.ADMINISTRATOR))
    token = await last_token(server)
    with pytest.raises(WeakPassword):
        await joining.accept(server.context, token, full_name="Yorick", password=Secret("weak"), origin=HERE)
    await joining.accept(server.context, token, full_name="Yorick", password=Secret(PASSWORD), origin=HERE)


@pytest.mark.parametrize(
    ("emails", "form", "message"),
    [
        ("", {}, "You must specify at least one email address."),
        (" , \n", {}, "You must specify at least one email address."),
        ("nonsense", {}, "Some emails did not validate, so we didn't send any invitations."),
        ("iago@example.com", {}, "We weren't able to invite anyone."),
        (GUEST_EMAIL, {"invite_as": "7"}, "Invalid invite_as: Value error, Not in the list of possible values"),
        (GUEST_EMAIL, {"invite_expires_in_minutes": "0"}, "Invalid invite_expires_in_minutes"),
        (GUEST_EMAIL, {"invite_expires_in_minutes": "99999999"}, "Invalid invite_expires_in_minutes"),
        (GUEST_EMAIL, {"stream_ids": "[999]"}, "Invalid channel ID 999. No invites were sent."),
        (",".join(f"a{number}@example.com" for number in range(101)), {}, "Invite at most 100 people at once."),
    ],
)
async def test_an_invalid_invitation_is_refused_and_nobody_is_mailed(
    server: InProcessServer, emails: str, form: dict[str, str], message: str
) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    response = await invite(server, iago, emails, **form)
    assert (response.status_code, response.json()["msg"]) == (400, message)
    assert await server.mails() == []


async def test_people_with_an_account_are_named_and_the_others_are_invited(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    body = (await invite(server, iago, f"Iago <iago@example.com>\n{GUEST_EMAIL}", stream_ids="[]")).json()
    assert body["code"] == "INVITATION_FAILED"
    assert body["sent_invitations"] is True
    assert body["errors"] == [["iago@example.com", "Already has an account.", False]]
    assert [mail.recipient for mail in await server.mails()] == [GUEST_EMAIL]


async def test_a_link_without_an_end_lasts_a_year(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    await invite(server, iago, invite_expires_in_minutes="null")
    (row,) = (await server.client().get("/api/v1/invites", auth=iago.auth)).json()["invites"]
    assert row["expiry_date"] - row["invited"] == 365 * 24 * 3600


async def test_nobody_can_be_invited_to_a_dummy_address(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    reserved = f"user{iago.id}@keybearer.localhost"
    answer = (await invite(server, iago, f"fine@example.com, {reserved}")).json()
    assert (answer["code"], answer["errors"]) == ("INVITATION_FAILED", [[reserved, "Invalid address.", False]])
    assert await server.mails() == []
    _, token = await multiuse_invitations.create(server.context, Caller(iago.account))
    with pytest.raises(Refused, match="reserved"):
        await multiuse_invitations.request_invitation(server.context, token, reserved, HERE)
