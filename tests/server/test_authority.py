"""Authority is decided where the act is: a right that ended before the transaction began is worth nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from keybearer.secret import Secret
from keybearer.server.domain.account_lists import AccountQuery
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.devices import DeviceKind
from keybearer.server.domain.errors import PasswordNeeded, Refused, Unauthenticated
from keybearer.server.domain.event_queues import QueueOptions
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.paging import START
from keybearer.server.domain.realms import SystemGroup
from keybearer.server.domain.rules import ADMINISTRATORS
from keybearer.server.services import (
    accounts,
    api_keys,
    audit,
    bot_lists,
    bots,
    deactivation,
    devices,
    event_queues,
    invitation_lists,
    invitations,
    passwords,
    profiles,
    realms,
    sessions,
)
from keybearer.server.services.accounts import OwnChange
from keybearer.server.services.audit import ANY
from keybearer.server.services.bots import BotChange, NewBot
from keybearer.server.services.context import Context
from keybearer.server.services.realms import RealmChange
from keybearer.server.services.sessions import open_session
from keybearer.server.storage.tables import sessions as sessions_table
from tests.in_process import PASSWORD, InProcessServer, Known
from tests.server.test_regeneration import live_keys


@dataclass(frozen=True)
class Cast:
    """An owner, an administrator, and things on which the administrator may act."""

    owner: Known
    iago: Known
    hamlet: Known
    hambot: Known
    invitation_id: int


async def cast(server: InProcessServer) -> Cast:
    owner, iago = await server.add_person("olive", Role.OWNER), await server.add_person("iago", Role.ADMINISTRATOR)
    hamlet = await server.add_person("hamlet")
    hambot = await server.add_bot(hamlet, "hambot")
    ((invitation, _),) = await invitations.invite(server.context, Caller(owner.account), ["guest@example.com"])
    return Cast(owner, iago, hamlet, hambot, invitation.id)


async def by_session(server: InProcessServer, who: Known) -> Caller:
    """A caller with a session of that account, as admission finds it."""
    async with server.context.change(Caller(who.account)) as change:
        session = (await open_session(change, who.account)).session
    return Caller(who.account, session_id=session.id)


async def by_key(server: InProcessServer, who: Known) -> Caller:
    record = await api_keys.find_record(server.context, who.id)
    assert record is not None
    return Caller(who.account, key_id=record.id)


UseCase = Callable[[Context, Caller, Cast], Awaitable[object]]

NEEDS_A_ROLE: Mapping[str, UseCase] = {
    "promote oneself": lambda c, who, on: accounts.change_person(c, who, who.id, role=200),
    "rename": lambda c, who, on: accounts.change_person(c, who, on.hamlet.id, full_name="Other Name"),
    "deactivate": lambda c, who, on: deactivation.deactivate_person(c, who, on.hamlet.id),
    "reactivate": lambda c, who, on: deactivation.reactivate(c, who, on.hambot.id),
    "show a bot": lambda c, who, on: bots.find_details(c, who, on.hambot.id),
    "show a bot's key": lambda c, who, on: api_keys.reveal_bot(c, who, on.hambot.id),
    "replace a bot's key": lambda c, who, on: api_keys.regenerate_bot(c, who, on.hambot.id),
    "change a bot": lambda c, who, on: bots.change_bot(c, who, on.hambot.id, BotChange(full_name="Other Name")),
    "take a bot": lambda c, who, on: bots.change_bot(c, who, on.hambot.id, BotChange(owner_id=who.id)),
    "deactivate a bot": lambda c, who, on: bots.deactivate(c, who, on.hambot.id),
    "invite an administrator": lambda c, who, on: invitations.invite(
        c, who, ["new@example.com"], role=Role.ADMINISTRATOR
    ),
    "withdraw an invitation": lambda c, who, on: invitations.revoke(c, who, on.invitation_id),
    "resend an invitation": lambda c, who, on: invitations.resend(c, who, on.invitation_id),
    "change the policies": lambda c, who, on: realms.change(c, who, RealmChange(can_create_bots=SystemGroup.OWNERS)),
    "read the whole log": lambda c, who, on: audit.find_all(c, who.under(ADMINISTRATORS.may(Scope.READ)), ANY),
}
"""What an administrator may do and a member may not."""

NEEDS_AN_ACCOUNT: Mapping[str, UseCase] = {
    "show one's key": lambda c, who, on: api_keys.reveal_own(c, who),
    "show one's key for the password": lambda c, who, on: sessions.reveal_own_key(c, who, Secret(PASSWORD)),
    "replace one's key": lambda c, who, on: api_keys.regenerate_own(c, who),
    "show one's bots' keys": lambda c, who, on: api_keys.reveal_own_bots(c, who),
    "show when one's key was used": lambda c, who, on: api_keys.find_own_record(c, who),
    "rename oneself": lambda c, who, on: accounts.change_own(c, who, OwnChange(full_name="Other Name")),
    "deactivate oneself": lambda c, who, on: deactivation.deactivate_own(c, who),
    "change the password": lambda c, who, on: passwords.change_own(
        c, who, old=Secret(PASSWORD), new=Secret("another good passphrase 9375")
    ),
    "confirm the password": lambda c, who, on: sessions.confirm_password(c, who, Secret(PASSWORD)),
    "see one's sessions": lambda c, who, on: sessions.find_all(c, who),
    "end one's sessions": lambda c, who, on: sessions.sign_out_everywhere(c, who),
    "create a bot": lambda c, who, on: bots.create(c, who, NewBot("New Bot", "new")),
    "see one's bots": lambda c, who, on: bot_lists.find_page(c, who, AccountQuery()),
    "see everybody": lambda c, who, on: profiles.find_all(c, who),
    "see somebody": lambda c, who, on: profiles.find(c, who, on.hamlet.id),
    "look an address up": lambda c, who, on: profiles.find_by_email(c, who, on.hamlet.email),
    "see oneself": lambda c, who, on: accounts.find_own(c, who),
    "see one's own log": lambda c, who, on: audit.find_own(c, who),
    "see the invitations": lambda c, who, on: invitation_lists.find_page(c, who, "", START),
    "register a device": lambda c, who, on: devices.register(c, who, DeviceKind.FCM, "token"),
    "see one's devices": lambda c, who, on: devices.find_all(c, who),
    "open a queue": lambda c, who, on: event_queues.open_queue(c, who, QueueOptions(), timedelta(minutes=1)),
}
"""What every member may do."""


async def demote(server: InProcessServer, on: Cast) -> None:
    await accounts.change_person(server.context, Caller(on.owner.account), on.iago.id, role=Role.MEMBER)


async def deactivate(server: InProcessServer, on: Cast) -> None:
    await deactivation.deactivate_person(server.context, Caller(on.owner.account), on.iago.id)


async def sign_out(server: InProcessServer, on: Cast) -> None:
    await sessions.sign_out_everywhere(server.context, Caller(on.iago.account), besides_this=False)


async def replace_key(server: InProcessServer, on: Cast) -> None:
    await api_keys.regenerate_by_operator(server.context, on.iago.id)


@pytest.mark.parametrize("name", NEEDS_A_ROLE)
async def test_a_demoted_administrator_is_refused_whatever_the_role_was_at_admission(
    server_on_each: InProcessServer, name: str
) -> None:
    server, on = server_on_each, await cast(server_on_each)
    caller = await by_key(server, on.iago)
    await demote(server, on)
    before = await server.events()
    with pytest.raises(Refused, match=r"Insufficient permission|Must be an organization|No such"):
        await NEEDS_A_ROLE[name](server.context, caller, on)
    assert await server.events() == before


ENDS = [
    ("deactivated", by_key, deactivate),
    ("signed out", by_session, sign_out),
    ("key replaced", by_key, replace_key),
]


@pytest.mark.parametrize(("how", "come", "end"), ENDS, ids=[how for how, *_ in ENDS])
async def test_a_caller_whose_rights_have_ended_is_refused_by_every_use_case(
    server_on_each: InProcessServer, how: str, come: Any, end: Any
) -> None:
    server, on = server_on_each, await cast(server_on_each)
    caller: Caller = await come(server, on.iago)
    await end(server, on)
    before = [event for event in await server.events() if event[0] != "api_key:viewed"]
    for name, use_case in {**NEEDS_A_ROLE, **NEEDS_AN_ACCOUNT}.items():
        try:
            await use_case(server.context, caller, on)
        except Unauthenticated:
            continue
        pytest.fail(f"{how}, and may still {name}")
    assert await server.events() == before


@pytest.mark.parametrize("name", [*NEEDS_A_ROLE, *NEEDS_AN_ACCOUNT])
async def test_every_use_case_above_is_open_to_an_administrator(server: InProcessServer, name: str) -> None:
    on = await cast(server)
    await {**NEEDS_A_ROLE, **NEEDS_AN_ACCOUNT}[name](server.context, await by_session(server, on.iago), on)


TRIES = 8


@pytest.mark.parametrize("door", ["/api/v1/", "/json/"])
async def test_an_administrator_demoted_while_requests_wait_for_the_writer_loses_their_rights(
    server_on_each: InProcessServer, door: str
) -> None:
    server = server_on_each
    owner = await server.add_person("olive", Role.OWNER)
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    by_key = door == "/api/v1/"
    clients = {who.id: server.client(auth=who.auth) if by_key else await server.signed_in(who) for who in (owner, iago)}

    async def give(role: Role, by: Known) -> int:
        form = {"role": str(role.value)}
        return (await clients[by.id].patch(f"{door}users/{iago.id}", data=form)).status_code

    for _ in range(TRIES):
        async with server.context.change(None, holding=[owner.id, iago.id], for_change=True):
            demotion = asyncio.create_task(give(Role.MEMBER, owner))
            await asyncio.sleep(0.05)  # it waits, and so does the next one, admitted as an administrator
            promotion = asyncio.create_task(give(Role.ADMINISTRATOR, iago))
            await asyncio.sleep(0.05)
        assert await demotion == 200
        await promotion
        assert (await server.known(iago.email)).account.role is Role.MEMBER
        assert await give(Role.ADMINISTRATOR, owner) == 200


async def until_in_line(server: InProcessServer, count: int) -> None:
    """Return when this many requests wait for the accounts that a transaction holds."""
    if server.context.database.dialect_name == "sqlite":
        await asyncio.sleep(0.2)
        return
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    found = 0
    while found < count:
        await asyncio.sleep(0.02)
        async with server.context.reading() as connection:
            found = (await connection.execute(waiting)).scalar_one()


async def test_a_download_that_waits_until_its_session_has_ended_gets_no_key(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    thief, victim = await server.signed_in(hamlet), await server.signed_in(hamlet)
    async with server.context.change(None, holding=[hamlet.id], for_change=True):
        ending = asyncio.create_task(victim.post("/settings/sessions/sign-out-others/"))
        await until_in_line(server, 1)
        download = asyncio.create_task(thief.post("/settings/account/api-key/zuliprc/"))
        await until_in_line(server, 2)  # admitted while its session was live
    assert (await ending).status_code == 303
    assert hamlet.api_key not in (await download).text


async def forget_passwords(server: InProcessServer) -> None:
    """Make the password of every session an hour old."""
    async with server.context.change(None) as change:
        long_ago = server.context.clock() - timedelta(hours=1)
        await change.connection.execute(update(sessions_table).values(confirmed_at=long_ago))


@pytest.mark.parametrize("name", ["show one's key", "replace one's key", "deactivate oneself"])
async def test_a_session_whose_password_is_old_is_refused_inside_the_transaction(
    server_on_each: InProcessServer, name: str
) -> None:
    server, on = server_on_each, await cast(server_on_each)
    caller = await by_session(server, on.iago)
    await forget_passwords(server)
    with pytest.raises(PasswordNeeded):
        await NEEDS_AN_ACCOUNT[name](server.context, caller, on)
    await sessions.confirm_password(server.context, caller, Secret(PASSWORD))
    await NEEDS_AN_ACCOUNT[name](server.context, caller, on)


async def test_a_session_needs_the_password_to_deactivate_its_account(server_on_each: InProcessServer) -> None:
    server = server_on_each
    await server.add_person("olive", Role.OWNER)
    hamlet = await server.add_person("hamlet")
    browser = await server.signed_in(hamlet)
    await forget_passwords(server)
    refused = await browser.delete("/json/users/me")
    assert (refused.status_code, refused.json()["code"]) == (403, "PASSWORD_NEEDED")
    assert "POST /json/fetch_api_key" in refused.json()["msg"]
    assert (await browser.post("/json/fetch_api_key", data={"password": PASSWORD})).status_code == 200
    assert (await browser.delete("/json/users/me")).status_code == 200
    assert not (await server.known(hamlet.email)).account.is_active


async def test_a_key_deactivates_its_account_without_a_password(server_on_each: InProcessServer) -> None:
    server = server_on_each
    await server.add_person("olive", Role.OWNER)
    hamlet = await server.add_person("hamlet")
    assert (await server.client().delete("/api/v1/users/me", auth=hamlet.auth)).status_code == 200


async def test_a_password_that_replaces_the_key_does_both_or_nothing(server_on_each: InProcessServer) -> None:
    server, on = server_on_each, await cast(server_on_each)
    new = Secret("another good passphrase 9375")
    caller = await by_session(server, on.iago)
    await forget_passwords(server)  # this password is recent enough
    await passwords.change_own(server.context, caller, old=Secret(PASSWORD), new=new, replaces_key=True)
    assert (await server.known(on.iago.email)).api_key != on.iago.api_key
    assert await live_keys(server, on.iago.id) == 1
