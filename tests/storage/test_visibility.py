"""The rules of visibility give the same result on loaded values and as SQL, for everybody about everything."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain import visibility as rules
from keybearer.server.domain.accounts import Account, EmailVisibility, Role
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.event_log import Subject
from keybearer.server.domain.messaging.channels import COLORS, Channel, Subscription
from keybearer.server.domain.messaging.messages import Flag, Message
from keybearer.server.domain.messaging.uploads import Upload
from keybearer.server.domain.visibility import Fact, holds, may_see_bot, may_see_channel, may_see_email
from keybearer.server.storage import accounts, sight, visibility
from keybearer.server.storage.engine import Database
from keybearer.server.storage.messaging import channels, new_messages, uploads
from keybearer.server.storage.messaging.new_messages import NewMessage
from keybearer.server.storage.messaging.tables import channels as channel_table
from keybearer.server.storage.messaging.tables import messages as message_table
from keybearer.server.storage.messaging.tables import uploads as upload_table
from keybearer.server.storage.tables import accounts as account_table
from tests.storage.rows import NOON, add_realm


@dataclass
class Population:
    """Two organizations full of accounts, channels, messages and files, and who has which."""

    accounts: list[Account] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    subscriptions: set[tuple[int, int]] = field(default_factory=set)
    copies: set[tuple[int, int]] = field(default_factory=set)
    links: set[tuple[int, int]] = field(default_factory=set)

    def sees_channel(self, viewer: Account, channel: Channel) -> bool:
        return may_see_channel(
            viewer, channel, {account_id for account_id, each in self.subscriptions if each == channel.id}
        )

    def sees_message(self, viewer: Account, message: Message) -> bool:
        channel = next((each for each in self.channels if each.id == message.channel_id), None)
        facts = {
            Fact.SAME_REALM: viewer.realm_id == message.realm_id,
            Fact.SEES_CHANNEL: channel is not None and self.sees_channel(viewer, channel),
            Fact.IS_DIRECT: channel is None,
            Fact.HAS_COPY: (viewer.id, message.id) in self.copies,
        }
        return holds(rules.MESSAGE, facts.__getitem__)

    def sees_file(self, viewer: Account, upload: Upload) -> bool:
        linking = [each for each in self.messages if (each.id, upload.id) in self.links]
        facts = {
            Fact.IS_UPLOADER: viewer.id == upload.account_id,
            Fact.SEES_LINKING_MESSAGE: any(self.sees_message(viewer, each) for each in linking),
        }
        return holds(rules.FILE, facts.__getitem__)


async def populate(database: Database, chance: random.Random) -> Population:
    """A random population of every role, choice and kind, with random subscriptions and owners."""
    found = Population()
    for number in range(2):
        realm = await add_realm(database)
        async with database.write() as connection:
            await add_accounts(connection, found, realm.id)
            mine = [each for each in found.accounts if each.realm_id == realm.id]
            for is_private in (True, False, True, False):
                name = f"channel {len(found.channels)} of {number}"
                (channel,) = await channels.add(connection, [Channel(0, realm.id, name, NOON, is_private=is_private)])
                found.channels.append(channel)
                for account in chance.sample(mine, len(mine) // 3):
                    await channels.subscribe(connection, [Subscription(account.id, channel.id, COLORS[0])])
                    found.subscriptions.add((account.id, channel.id))
            await add_messages(connection, found, mine, chance)
    return found


async def add_accounts(connection: AsyncConnection, found: Population, realm_id: int) -> None:
    people = [
        await accounts.add(
            connection,
            realm_id=realm_id,
            email=f"{role.label}{chosen.value}@example.com",
            full_name=f"{role.label} {chosen.value}",
            role=role,
            date_joined=NOON,
        )
        for role in Role
        for chosen in EmailVisibility
    ]
    for position, person in enumerate(people):
        chosen = list(EmailVisibility)[position % len(EmailVisibility)]
        await accounts.save(connection, person._replace(email_visibility=chosen))
    owners = [None, *(next(each for each in people if each.role is role) for role in Role)]
    bots = [
        await accounts.add(
            connection,
            realm_id=realm_id,
            email=f"{role.label}-of-{owner.id if owner else 'nobody'}-bot@example.com",
            full_name="Bot",
            role=role,
            date_joined=NOON,
            bot_type=BotType.GENERIC,
            bot_owner_id=owner.id if owner else None,
        )
        for role in (Role.OWNER, Role.ADMINISTRATOR, Role.MEMBER, Role.GUEST)
        for owner in owners
    ]
    found.accounts += (await accounts.find_by_ids(connection, [each.id for each in (*people, *bots)])).values()


async def add_messages(
    connection: AsyncConnection, found: Population, mine: list[Account], chance: random.Random
) -> None:
    places = [each.id for each in found.channels if each.realm_id == mine[0].realm_id]
    for place in [*places, None, *places, None, None]:
        pair = chance.sample(mine, 2)
        ids = [each.id for each in pair]
        new = NewMessage(
            realm_id=mine[0].realm_id,
            sender_id=pair[0].id,
            content="x",
            rendered="<p>x</p>",
            sent_at=NOON,
            client="test",
            channel_id=place,
            conversation_id=None if place else await new_messages.conversation_of(connection, ids),
        )
        owners = chance.sample(mine, 4) if place else pair
        message = await new_messages.add(connection, new, dict.fromkeys((each.id for each in owners), Flag(0)))
        found.messages.append(message)
        found.copies |= {(each.id, message.id) for each in owners}
        upload = await uploads.add(
            connection,
            path=f"{message.id}/x",
            account_id=chance.choice(mine).id,
            name="x",
            content_type="text/plain",
            size=1,
            at=NOON,
        )
        found.uploads.append(upload)
        for linking in chance.sample(found.messages, min(2, len(found.messages))):
            await uploads.attach(connection, linking.id, [upload.id])
            found.links.add((linking.id, upload.id))


@pytest.mark.parametrize("seed", range(3))
async def test_each_rule_gives_the_same_result_on_loaded_values_and_as_sql(database: Database, seed: int) -> None:
    found = await populate(database, random.Random(seed))
    decided: dict[str, set[bool]] = {}
    async with database.read() as connection:
        for viewer in found.accounts:
            for name, table, condition, by_values in evaluations(found, viewer):
                rows = (await connection.execute(select(table.c.id).where(condition))).all()
                assert {row.id for row in rows} == {each for each, is_seen in by_values.items() if is_seen}, name
                decided.setdefault(name, set()).update(by_values.values())
            seen = select(channel_table.c.id).where(visibility.kind_sees_channel(visibility.kind_of(viewer)))
            rows = (await connection.execute(seen, visibility.viewer_parameters(viewer))).all()
            assert {row.id for row in rows} == {each.id for each in found.channels if found.sees_channel(viewer, each)}
            seen = select(message_table.c.id).where(visibility.kind_sees_message(visibility.kind_of(viewer)))
            rows = (await connection.execute(seen, visibility.viewer_parameters(viewer))).all()
            assert {row.id for row in rows} == {each.id for each in found.messages if found.sees_message(viewer, each)}
            bots = {each.id for each in found.accounts if may_see_bot(viewer, each)}
            assert {each.id for each in await visibility.find_bots(connection, viewer)} == bots
    assert decided == {name: {True, False} for name in ("address", "bot", "channel", "message", "file")}


def evaluations(
    found: Population, viewer: Account
) -> Iterator[tuple[str, Table, ColumnElement[bool], dict[int, bool]]]:
    """Each rule for a viewer: its name, its table, the SQL, and its result for each loaded value."""
    addresses = {each.id: may_see_email(viewer, each) for each in found.accounts}
    yield "address", account_table, visibility.sees_address(viewer), addresses
    bots = {each.id: may_see_bot(viewer, each) for each in found.accounts}
    yield "bot", account_table, visibility.sees_bot(viewer), bots
    in_channels = {each.id: found.sees_channel(viewer, each) for each in found.channels}
    yield "channel", channel_table, visibility.sees_channel(viewer), in_channels
    sent = {each.id: found.sees_message(viewer, each) for each in found.messages}
    yield "message", message_table, visibility.sees_message(viewer), sent
    files = {each.id: found.sees_file(viewer, each) for each in found.uploads}
    yield "file", upload_table, visibility.sees_file(viewer), files


async def test_the_sight_of_many_accounts_equals_what_each_of_them_sees(database: Database) -> None:
    found = await populate(database, random.Random(11))
    by_channel = {each.id: each for each in found.channels}
    subjects = [Subject((channel.id,)) for channel in found.channels]
    subjects += [Subject(bot_id=each.id) for each in found.accounts]
    subjects += [Subject(message_ids=(each.id,)) for each in found.messages if each.channel_id]
    async with database.read() as connection:
        seen = await sight.find(connection, [each.id for each in found.accounts], subjects)
    for viewer in found.accounts:
        for subject in subjects:
            if subject.bot_id is not None:
                expected = any(each.id == subject.bot_id and may_see_bot(viewer, each) for each in found.accounts)
            else:
                in_channels = {m.channel_id for m in found.messages if m.id in subject.message_ids}
                expected = all(
                    found.sees_channel(viewer, by_channel[each])
                    for each in (*subject.channel_ids, *in_channels)
                    if each is not None
                )
            assert seen.shows(subject, viewer.id) is expected, (viewer, subject)
