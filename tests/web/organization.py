"""An organization with content: people in every role, bots of every type, devices, uses, an invitation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.api_keys import APIKeyRecord, KeyUse
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.devices import DeviceKind
from keybearer.server.domain.named_keys import NewKey
from keybearer.server.services import (
    accounts,
    bots,
    deactivation,
    devices,
    invitations,
    multiuse_invitations,
    named_keys,
    sessions,
)
from keybearer.server.services.bots import NewBot
from keybearer.server.services.context import Context
from keybearer.server.services.messaging import message_changes, reactions, sending
from keybearer.server.services.messaging.message_changes import MessageChange
from keybearer.server.services.messaging.sending import Draft, ToChannel, ToPeople
from keybearer.server.storage import accounts as account_rows
from keybearer.server.storage import api_keys, key_uses
from keybearer.server.storage.key_uses import NewUse
from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, RunningServer

PASSWORD = Secret("seven lanterns by the river")
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff Hubert Blaine the Elder of Ostrava and Surroundings, Honoured"
ADMINISTRATOR, MEMBER, GUEST, FORMER = "ada@example.com", "milan@example.com", "greta@example.com", "fritz@example.com"


@dataclass(frozen=True)
class Organization:
    """The ids of its content."""

    owner: Account
    member: Account
    former: Account
    bot: Account
    webhook: Account
    outgoing: Account
    deactivated: Account
    foreign: Account
    key: APIKeyRecord
    """A named key of the owner."""
    bot_key: APIKeyRecord
    """A named key of the bot."""
    join_token: Secret
    """Of a multi-use invitation."""
    message_id: int
    """Of a message that the owner sent."""


def populate(server: RunningServer) -> Organization:
    """Fill the organization of a server."""
    return server.on_data(_populate)


async def _populate(context: Context) -> Organization:
    everybody = await accounts.find_all_for_operator(context)
    owner = next(account for account in everybody if account.delivery_email == OWNER_EMAIL)
    browser = RequestOrigin("192.0.2.17", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
    acting = Caller(owner, browser)

    async def person(email: str, name: str, role: Role) -> Account:
        return await accounts.add_by_operator(context, email=email, full_name=name, role=role, password=PASSWORD)

    await person(ADMINISTRATOR, "Ada Novotná", Role.ADMINISTRATOR)
    member = await person(MEMBER, "Milan Dvořák", Role.MEMBER)
    await person(GUEST, LONG_NAME, Role.GUEST)
    former = await person(FORMER, "Fritz Gone", Role.MEMBER)
    await deactivation.deactivate_person(context, acting, former.id)

    async def bot(owner: Caller, name: str, short_name: str, bot_type: BotType, url: str | None = None) -> Account:
        new = NewBot(full_name=name, short_name=short_name, bot_type=bot_type, payload_url=url)
        return (await bots.create(context, owner, new)).account

    builds = await bot(acting, "Build watcher", "builds", BotType.GENERIC)
    webhook = await bot(acting, "Issue tracker", "issues", BotType.INCOMING_WEBHOOK)
    url = "https://hooks.example.com/keybearer/messages"
    outgoing = await bot(acting, "Lunch oracle", "lunch", BotType.OUTGOING_WEBHOOK, url)
    await bot(
        acting, LONG_NAME[::-1].title(), "the-one-with-the-very-long-name-that-goes-on-and-on-and-on", BotType.GENERIC
    )
    old = await bot(acting, "Old importer", "importer", BotType.GENERIC)
    await bots.deactivate(context, acting, old.id)
    foreign = await bot(Caller(member, browser), "Telescope control", "telescope", BotType.GENERIC)

    await devices.register(context, acting, DeviceKind.APNS, "736563726574", "org.zulip.Zulip")
    await devices.register(context, acting, DeviceKind.FCM, "fcm-registration-token")
    await sessions.sign_in(context, OWNER_EMAIL, Secret(OWNER_PASSWORD), browser)
    await invitations.invite(context, acting, ["petra@example.com"], role=Role.MEMBER)
    _, join_token = await multiuse_invitations.create(context, acting)
    await _use_keys(context, builds, owner)
    key = (await named_keys.create(context, acting, NewKey("Weekly report"))).record
    bot_key = (await named_keys.create(context, acting, NewKey("Night watch"), builds.id)).record
    message_id = await _talk(context, acting, Caller(member, browser), builds)
    return Organization(
        owner, member, former, builds, webhook, outgoing, old, foreign, key, bot_key, join_token, message_id
    )


ALL_MARKS = """# Release 4.1
**Ready** for *review*, see #**general>builds** :tada: <time:2026-11-27T10:00:00Z>

| step | seconds |
|:-----|--------:|
| lint | 12 |
| test | 341 |

> Ship it!

1. `make test`
2. [the log](https://ci.example.com/builds/4711/log?with=a-rather-long-query-that-goes-on-and-on-and-on-and-on)

```spoiler The key of the exercise
forty-two
```

```python
print("a line of code that is longer than what a telephone can show in one line, and so has to be broken")
```"""


async def _talk(context: Context, owner: Caller, member: Caller, bot: Account) -> int:
    """Messages in a channel and between people. Returns the id of one of the owner's messages."""
    acting = Caller(bot, RequestOrigin("198.51.100.4", "ZulipPython/0.9.1"))
    builds = ToChannel("general", "builds")
    await sending.send(context, member, Draft(builds, f"@**{bot.full_name}** how is the build?"))
    said = await sending.send(context, acting, Draft(builds, ALL_MARKS))
    await reactions.add(context, member, said, name="tada", code=None, kind=None)
    await reactions.add(context, owner, said, name="tada", code=None, kind=None)
    await reactions.add(context, member, said, name="eyes", code=None, kind=None)
    sent = await sending.send(context, owner, Draft(builds, "Thank you, both."))
    await message_changes.change(context, owner, sent, MessageChange(content="Thank you, all of you."))
    await sending.send(context, member, Draft(ToPeople((owner.id,)), "Lunch?"))
    await sending.send(context, owner, Draft(ToPeople((bot.id,)), "help"))
    return sent


async def _use_keys(context: Context, bot: Account, owner: Account) -> None:
    """Uses of keys, including a late use of a bot's old key."""
    used = context.clock() - timedelta(hours=3)
    async with context.change(None, origin=RequestOrigin("198.51.100.4", "ZulipPython/0.9.0")) as change:
        uses = []
        for account, client in ((bot, "ZulipPython/0.9.1"), (owner, "zulip-terminal/0.7.0")):
            live = await api_keys.find_account_key(change.connection, account.id)
            assert live is not None
            uses.append(NewUse(live.id, KeyUse(used, "198.51.100.4", client)))
        await key_uses.record_uses(change.connection, uses)
        fresh = await account_rows.find(change.connection, bot.id)
        await change.record(AuditEvent.API_KEY_LATE_USE, fresh)
