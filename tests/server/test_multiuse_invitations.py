"""Invitations for several people: links that are passed on, never for owners or administrators. Also channels in
invitations.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.errors import Refused, TooManyAttempts
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.services import deactivation, joining, multiuse_invitations, server_data
from keybearer.server.storage import links
from tests.in_process import InProcessServer, Known

PASSWORD = "a fresh passphrase of mine 5521"
HERE = RequestOrigin("203.0.113.4", "browser")
EMAIL = "yorick@example.com"


async def call(server: InProcessServer, who: Known, method: str, path: str, **form: Any) -> dict[str, Any]:
    data = {name: each if isinstance(each, str) else json.dumps(each) for name, each in form.items()}
    response = await server.client().request(method, f"/api/v1/{path}", auth=who.auth, data=data)
    answer: dict[str, Any] = response.json()
    return answer


async def make_link(server: InProcessServer, who: Known, **form: Any) -> str:
    """The path of a new link."""
    answer = await call(server, who, "POST", "invites/multiuse", **form)
    assert answer["result"] == "success", answer
    link: str = answer["invite_link"]
    assert link.startswith(f"{server.site}/join/")
    return link.removeprefix(server.site)


def token_in(path: str) -> Secret:
    return Secret(path.split("/")[2])


async def mailed_token(server: InProcessServer) -> Secret:
    found = re.search(r"/join/([\w-]+)/", (await server.mails())[-1].body)
    assert found is not None
    return Secret(found[1])


async def join(server: InProcessServer, email: str = EMAIL) -> Account:
    """Join by the invitation that was mailed last."""
    token = await mailed_token(server)
    joined = await joining.accept(server.context, token, full_name="Yorick", password=Secret(PASSWORD), origin=HERE)
    assert joined.account.delivery_email == email
    return joined.account


async def post(client: httpx2.AsyncClient, path: str, **form: str) -> httpx2.Response:
    page = await client.get(path)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    data = {**form, "csrfmiddlewaretoken": token[1]}
    return await client.post(path, data=data, headers={"Referer": f"http://localhost:9991{path}"})


async def test_several_people_join_by_one_link_each_by_a_mail_to_their_address(server_on_each: InProcessServer) -> None:
    server = server_on_each
    path = await make_link(server, await server.add_person("iago", Role.ADMINISTRATOR), invite_as=600)
    for email in (EMAIL, "osric@example.com"):
        client = server.client()
        response = await post(client, path, email=email)
        assert "Ask an administrator of Example for your link" in response.text
        assert email not in response.text
        assert (await server.mails())[-1].recipient == email
        assert (await join(server, email)).role is Role.GUEST


async def test_the_page_of_a_link_does_not_show_whether_an_address_has_an_account(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    path = await make_link(server, iago)
    answers = {re.sub(r'value="[^"]+"', "", (await post(server.client(), path, email=email)).text)
               for email in (EMAIL, iago.email)}  # fmt: skip
    assert len(answers) == 1
    mail = (await server.mails())[-1]
    assert (mail.recipient, "/join/" in mail.body) == (iago.email, False)


async def test_an_invalid_address_is_refused_in_the_form(server: InProcessServer) -> None:
    path = await make_link(server, await server.add_person("iago", Role.ADMINISTRATOR))
    assert "Enter a valid email address." in (await post(server.client(), path, email="nonsense")).text
    assert await server.mails() == []


async def test_mails_by_a_link_are_limited_by_recipient_and_by_sender_address(
    server: InProcessServer,
) -> None:
    token = token_in(await make_link(server, await server.add_person("iago", Role.ADMINISTRATOR)))
    for _ in range(2):
        await multiuse_invitations.request_invitation(server.context, token, EMAIL, HERE)
    with pytest.raises(TooManyAttempts):
        await multiuse_invitations.request_invitation(server.context, token, EMAIL, HERE)
    for number in range(18):
        await multiuse_invitations.request_invitation(server.context, token, f"a{number}@example.com", HERE)
    with pytest.raises(TooManyAttempts):
        await multiuse_invitations.request_invitation(server.context, token, "last@example.com", HERE)


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMINISTRATOR])
async def test_no_link_for_several_people_is_for_owners_or_administrators(server: InProcessServer, role: Role) -> None:
    olive = await server.add_person("olive", Role.OWNER)
    answer = await call(server, olive, "POST", "invites/multiuse", invite_as=role.value)
    assert answer["msg"] == "An invitation that several people can use cannot be for owners or administrators."


async def test_only_administrators_create_links_for_several_people(server: InProcessServer) -> None:
    olive, hamlet = await server.add_person("olive", Role.OWNER), await server.add_person("hamlet")
    await call(server, olive, "PATCH", "realm", can_invite_users_group={"new": 6})
    answer = await call(server, hamlet, "POST", "invites/multiuse")
    assert answer["msg"] == "Insufficient permission"


async def test_a_link_ends_with_its_creators_rights(server: InProcessServer) -> None:
    olive = await server.add_person("olive", Role.OWNER)
    iago, petra = [await server.add_person(name, Role.ADMINISTRATOR) for name in ("iago", "petra")]
    await call(server, olive, "PATCH", "realm", can_invite_users_group={"new": 6})
    tokens = [token_in(await make_link(server, who)) for who in (iago, petra)]
    await multiuse_invitations.request_invitation(server.context, tokens[0], EMAIL, HERE)
    # A member may still invite, but nobody can pass on a member's invitation.
    await call(server, olive, "PATCH", f"users/{iago.id}", role=400)
    await deactivation.deactivate_person(server.context, None, petra.id)
    for token in tokens:
        with pytest.raises(Refused):
            await multiuse_invitations.request_invitation(server.context, token, "other@example.com", HERE)
    with pytest.raises(Refused):
        await join(server)


async def test_a_link_is_listed_and_withdrawn_with_the_invitations_requested_by_it(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    path = await make_link(server, iago, invite_expires_in_minutes=60)
    await multiuse_invitations.request_invitation(server.context, token_in(path), EMAIL, HERE)
    rows = (await call(server, iago, "GET", "invites"))["invites"]
    row = next(each for each in rows if each["is_multiuse"])
    assert row == {
        "id": row["id"],
        "invited_by_user_id": iago.id,
        "invited": row["invited"],
        "expiry_date": row["invited"] + 3600,
        "invited_as": 400,
        "link_url": f"{server.site}{path}",
        "notify_referrer_on_join": False,
        "is_multiuse": True,
    }
    (asked,) = [each for each in rows if not each["is_multiuse"]]
    assert (asked["email"], asked["invited_by_user_id"]) == (EMAIL, iago.id)
    assert asked["expiry_date"] <= row["expiry_date"]
    wrong = await call(server, iago, "DELETE", f"invites/{row['id']}")
    assert wrong["msg"] == "No such invitation"
    assert (await call(server, iago, "DELETE", f"invites/multiuse/{row['id']}"))["result"] == "success"
    assert (await call(server, iago, "GET", "invites"))["invites"] == []
    assert (await server.client().get(path)).status_code == 404
    with pytest.raises(Refused):
        await join(server)


async def listed_url(server: InProcessServer, who: Known) -> str | None:
    (row,) = (await call(server, who, "GET", "invites"))["invites"]
    url: str | None = row.get("link_url")
    return url


async def test_a_link_is_shown_again_after_the_secrets_were_rotated(server_on_each: InProcessServer) -> None:
    server = server_on_each
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    path = await make_link(server, iago)
    await server_data.rotate_secrets(server.context)
    assert await listed_url(server, iago) == f"{server.site}{path}"
    assert (await server.client().get(path)).status_code == 200


async def test_a_link_with_a_random_token_is_not_shown_again(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    await make_link(server, iago)
    async with server.context.change(None) as change:
        (link,) = await links.find_all(change.connection, [LinkPurpose.MULTIUSE_INVITATION], change.now)
        await links.set_token(change.connection, link.id, Secret("of an earlier version"))
    assert await listed_url(server, iago) is None


async def test_a_new_invitation_never_gets_the_link_of_an_earlier_one(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    path = await make_link(server, iago)
    (row,) = (await call(server, iago, "GET", "invites"))["invites"]
    await call(server, iago, "DELETE", f"invites/multiuse/{row['id']}")
    again = await make_link(server, iago)
    assert again != path
    assert (await server.client().get(path)).status_code == 404


async def test_a_changed_link_gives_the_new_role_and_channels_within_its_changers_rights(
    server: InProcessServer,
) -> None:
    olive, iago = await server.add_person("olive", Role.OWNER), await server.add_person("iago", Role.ADMINISTRATOR)
    channels = await make_channels(server, iago)
    path = await make_link(server, iago, stream_ids=[])
    (row,) = (await call(server, iago, "GET", "invites"))["invites"]
    place = f"invites/multiuse/{row['id']}"
    for wrong in ({"invite_as": 200}, {"stream_ids": [999]}):
        assert (await call(server, iago, "PATCH", place, **wrong))["result"] == "error"
    assert (await call(server, olive, "PATCH", place, stream_ids=[channels["closed"]]))["result"] == "error"
    assert (await call(server, iago, "PATCH", "invites/multiuse/999"))["msg"] == "No such invitation"
    assert (await call(server, iago, "PATCH", place, invite_as=600))["result"] == "success"
    assert (await call(server, iago, "PATCH", place, stream_ids=[channels["closed"]]))["result"] == "success"
    await multiuse_invitations.request_invitation(server.context, token_in(path), EMAIL, HERE)
    joined = await join(server)
    assert (joined.role, await followed_by(server, joined)) == (Role.GUEST, {"closed"})


async def test_the_page_of_a_link_ends_when_its_creator_may_no_longer_invite(server: InProcessServer) -> None:
    olive, iago = await server.add_person("olive", Role.OWNER), await server.add_person("iago", Role.ADMINISTRATOR)
    path = await make_link(server, iago)
    await call(server, iago, "POST", "invites", invitee_emails=EMAIL)
    paths = [path, f"/join/{(await mailed_token(server)).reveal()}/"]
    assert [(await server.client().get(each)).status_code for each in paths] == [200, 200]
    await call(server, olive, "PATCH", f"users/{iago.id}", role=400)
    assert [(await server.client().get(each)).status_code for each in paths] == [404, 404]


async def test_open_links_for_several_people_are_capped(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    async with server.context.change(None) as change:
        for number in range(Cap.MULTIUSE_INVITATIONS.most):
            token = Secret(f"token {number}")
            await links.add(change.connection, token, LinkPurpose.MULTIUSE_INVITATION, at=change.now, realm_id=1)
    answer = await call(server, iago, "POST", "invites/multiuse")
    assert answer["msg"] == Cap.MULTIUSE_INVITATIONS.refusal()


async def test_a_link_invites_no_more_people_than_its_creator_may_invite(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    token = token_in(await make_link(server, iago))
    tokens = {f"p{number}@example.com": Secret(f"token {number}") for number in range(Cap.INVITATIONS.most)}
    async with server.context.change(None) as change:
        await links.add_all(
            change.connection,
            tokens,
            LinkPurpose.INVITATION,
            at=change.now,
            realm_id=iago.account.realm_id,
            role=Role.MEMBER,
            created_by=iago.id,
            lifetime=timedelta(days=1),
        )
    # Neither answer shows whether the address has an account.
    for email in (EMAIL, iago.account.delivery_email):
        with pytest.raises(Refused, match="Too many invitations are open"):
            await multiuse_invitations.request_invitation(server.context, token, email, HERE)


async def followed_by(server: InProcessServer, account: Account) -> set[str]:
    found = await call(server, await server.known(account.delivery_email), "GET", "users/me/subscriptions")
    return {each["name"] for each in found["subscriptions"]}


async def make_channels(server: InProcessServer, who: Known) -> dict[str, int]:
    """A default channel, a public one and a private one."""
    ids = {}
    for name, more in (("default", {"is_default_stream": True}), ("open", {}), ("closed", {"invite_only": True})):
        made = await call(server, who, "POST", "channels/create", name=name, subscribers=[who.id], **more)
        ids[name] = made["id"]
    return ids


@pytest.mark.parametrize("by_link", [False, True])
async def test_people_follow_the_channels_of_their_invitation_and_default_channels_if_it_says_so(
    server: InProcessServer, by_link: bool
) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    ids = await make_channels(server, iago)
    for form, names in (
        ({}, {"default"}),
        ({"stream_ids": []}, set()),
        ({"stream_ids": [ids["open"], ids["closed"]]}, {"open", "closed"}),
        ({"stream_ids": [ids["open"]], "include_realm_default_subscriptions": True}, {"open", "default"}),
        ({"include_realm_default_subscriptions": False}, set()),
    ):
        email = f"joins{len(await server.mails())}@example.com"
        if by_link:
            token = token_in(await make_link(server, iago, **form))
            await multiuse_invitations.request_invitation(server.context, token, email, HERE)
        else:
            await call(server, iago, "POST", "invites", invitee_emails=email, **form)
        assert await followed_by(server, await join(server, email)) == names, form


async def test_channels_hidden_from_the_inviter_are_refused_and_nobody_is_invited(
    server: InProcessServer,
) -> None:
    iago, olive = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("olive", Role.OWNER)
    hidden = (await make_channels(server, olive))["closed"]
    for path, form in (("invites", {"invitee_emails": EMAIL}), ("invites/multiuse", {})):
        for channel_id in (hidden, 999_999):
            answer = await call(server, iago, "POST", path, stream_ids=[channel_id], **form)
            assert answer["msg"] == f"Invalid channel ID {channel_id}. No invites were sent."
    assert await server.mails() == []


async def test_channels_of_an_invitation_are_capped(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    ids = [1] * (Cap.INVITED_TO.most + 1)
    for path in ("invites", "invites/multiuse"):
        answer = await call(server, iago, "POST", path, invitee_emails=EMAIL, stream_ids=ids)
        assert f"at most {Cap.INVITED_TO.most} items" in answer["msg"]


async def test_a_channel_that_the_inviter_no_longer_sees_is_left_out(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    ids = await make_channels(server, iago)
    await call(server, iago, "POST", "invites", invitee_emails=EMAIL, stream_ids=[ids["open"], ids["closed"]])
    await call(server, iago, "DELETE", "users/me/subscriptions", subscriptions=["closed"])
    assert await followed_by(server, await join(server)) == {"open"}
