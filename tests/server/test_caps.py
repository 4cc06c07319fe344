"""What grows has a cap. Whatever reaches it is refused in clear words, and nothing existing is lost."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.event_queues import QueueOptions
from keybearer.server.domain.limits import MOST_REACTIONS, Cap, Retention
from keybearer.server.domain.mails import Mail
from keybearer.server.services import event_queues, housekeeping, sessions
from keybearer.server.services.background import SLICE
from keybearer.server.storage import audit, event_log
from keybearer.server.storage.messaging.tables import (
    bot_storage,
    channels,
    messages,
    muted_users,
    reactions,
    upload_contents,
    uploads,
    user_topics,
)
from keybearer.server.storage.tables import accounts, devices, links, mails
from keybearer.server.storage.tables import audit as audit_table
from keybearer.server.storage.tables import event_queues as queues
from keybearer.server.storage.tables import sessions as sessions_table
from tests.in_process import InProcessServer, Known, prepared, serving


async def call(server: InProcessServer, who: Known, method: str, path: str, **fields: object) -> dict[str, Any]:
    texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in fields.items()}
    response = await server.client().request(method, f"/api/v1/{path}", auth=who.auth, data=texts)
    answer: dict[str, Any] = {**response.json(), "status": response.status_code}
    return answer


async def add_rows(server: InProcessServer, table: Any, rows: list[dict[str, Any]]) -> None:
    async with server.context.change(None) as change:
        await change.connection.execute(insert(table), rows)


async def number_of(server: InProcessServer, table: Any) -> int:
    async with server.context.reading() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


@pytest.fixture
async def hamlet(server: InProcessServer) -> Known:
    return await server.add_person("hamlet", Role.OWNER)


async def test_event_queues_of_an_account_are_capped_without_those_that_timed_out(
    server: InProcessServer, hamlet: Known
) -> None:
    now = server.context.clock()
    idle = {"account_id": hamlet.id, "start_id": 0, "acknowledged_id": 0, "idle_seconds": 600, "options": "{}"}
    rows = [{**idle, "id": f"q{n}", "polled_at": now} for n in range(Cap.QUEUES.most)]
    await add_rows(server, queues, rows)
    refused = await call(server, hamlet, "POST", "register", fetch_event_types=[])
    assert (refused["status"], refused["msg"]) == (400, Cap.QUEUES.refusal())
    async with server.context.change(None) as change:
        old = update(queues).where(queues.c.id == "q0").values(polled_at=now - timedelta(seconds=601))
        await change.connection.execute(old)
    assert (await call(server, hamlet, "POST", "register", fetch_event_types=[]))["status"] == 200


async def test_the_length_of_a_queues_filter_is_capped(server: InProcessServer, hamlet: Known) -> None:
    narrow = [["topic", "t" * 900]] * 40
    refused = await call(server, hamlet, "POST", "register", narrow=narrow, fetch_event_types=[])
    assert (refused["status"], refused["msg"]) == (400, Cap.QUEUE_FILTER.refusal())
    types = ["message"] * 5000
    assert (await call(server, hamlet, "POST", "register", event_types=types, fetch_event_types=[]))["status"] == 200


async def test_a_queue_that_nobody_reads_is_closed_when_too_many_events_wait(
    server: InProcessServer, hamlet: Known
) -> None:
    week = timedelta(days=7)
    unread = await event_queues.open_queue(server.context, Caller(hamlet.account), QueueOptions(), week)
    async with server.context.change(None) as change:
        await event_log.advance(change.connection, by=Cap.QUEUE_LOG.most + 1)
        long_ago = server.context.clock() - 2 * event_log.POLLED
        await change.connection.execute(update(queues).where(queues.c.id == unread.id).values(polled_at=long_ago))
    fresh = await event_queues.open_queue(server.context, Caller(hamlet.account), QueueOptions(), week)
    await housekeeping.sweep(server.context)
    async with server.context.reading() as connection:
        assert await event_log.find_queue(connection, unread.id) is None
        assert await event_log.find_queue(connection, fresh.id) is not None
    path = f"/api/v1/events?queue_id={unread.id}&last_event_id=-1&dont_block=true"
    answer = (await server.client().get(path, auth=hamlet.auth)).json()
    assert answer["code"] == "BAD_EVENT_QUEUE_ID"


async def test_events_that_others_cause_within_seconds_close_no_queue_of_a_client_that_polls(
    server: InProcessServer, hamlet: Known
) -> None:
    week = timedelta(days=7)
    polled = await event_queues.open_queue(server.context, Caller(hamlet.account), QueueOptions(), week)
    for times, is_open in ((1, True), (10, False)):
        async with server.context.change(None) as change:
            await event_log.advance(change.connection, by=times * Cap.QUEUE_LOG.most + 1)
        await housekeeping.sweep(server.context)
        async with server.context.reading() as connection:
            assert (await event_log.find_queue(connection, polled.id) is not None) is is_open


async def test_an_answer_with_more_reactions_than_it_has_room_for_is_refused(
    server: InProcessServer, hamlet: Known
) -> None:
    sent = await call(server, hamlet, "POST", "messages", type="direct", to=[hamlet.id], content="hello")
    shared = {"message_id": sent["id"], "account_id": hamlet.id, "emoji_name": "x", "kind": "unicode_emoji"}
    await add_rows(server, reactions, [{**shared, "emoji_code": f"{n}"} for n in range(MOST_REACTIONS)])
    assert (await call(server, hamlet, "GET", f"messages/{sent['id']}"))["status"] == 200
    await add_rows(server, reactions, [{**shared, "emoji_code": "one more"}])
    refused = await call(server, hamlet, "GET", f"messages/{sent['id']}")
    assert refused["status"] == 400
    assert "too many reactions" in refused["msg"]


async def test_channels_created_by_an_account_are_capped(server: InProcessServer, hamlet: Known) -> None:
    made = {"realm_id": hamlet.account.realm_id, "created_at": server.context.clock(), "creator_id": hamlet.id}
    await add_rows(server, channels, [{**made, "name": f"c{n}", "name_key": f"c{n}"} for n in range(Cap.CHANNELS.most)])
    refused = await call(server, hamlet, "POST", "users/me/subscriptions", subscriptions=[{"name": "one more"}])
    assert (refused["status"], refused["msg"]) == (400, Cap.CHANNELS.refusal())
    known = await call(server, hamlet, "POST", "users/me/subscriptions", subscriptions=[{"name": "c1"}])
    assert known["status"] == 200
    bot = await server.add_bot(hamlet, "hambot")
    by_bot = await call(server, bot, "POST", "users/me/subscriptions", subscriptions=[{"name": "by the bot"}])
    assert (by_bot["status"], by_bot["msg"]) == (400, Cap.CHANNELS.refusal())


async def test_topic_policies_of_an_account_are_capped(server: InProcessServer, hamlet: Known) -> None:
    await call(server, hamlet, "POST", "channels/create", name="c", subscribers=[hamlet.id])
    async with server.context.reading() as connection:
        channel_id = (await connection.execute(select(channels.c.id).where(channels.c.name == "c"))).scalar_one()
    chosen = {"account_id": hamlet.id, "channel_id": channel_id, "policy": 1, "changed_at": server.context.clock()}
    numbers = range(Cap.USER_TOPICS.most)
    await add_rows(server, user_topics, [{**chosen, "topic": f"t{n}", "topic_key": f"t{n}"} for n in numbers])
    wanted = {"stream_id": channel_id, "visibility_policy": 3}
    refused = await call(server, hamlet, "POST", "user_topics", topic="one more", **wanted)
    assert (refused["status"], refused["msg"]) == (400, Cap.USER_TOPICS.refusal())
    assert (await call(server, hamlet, "POST", "user_topics", topic="t1", **wanted))["status"] == 200


async def test_muted_users_of_an_account_are_capped(server: InProcessServer, hamlet: Known) -> None:
    other = {"realm_id": hamlet.account.realm_id, "role": 400, "date_joined": server.context.clock()}
    emails = [f"p{n}@example.com" for n in range(Cap.MUTED_USERS.most + 1)]
    await add_rows(
        server, accounts, [{**other, "delivery_email": each, "email_key": each, "full_name": each} for each in emails]
    )
    async with server.context.reading() as connection:
        found = await connection.execute(select(accounts.c.id).where(accounts.c.id != hamlet.id))
        first, *ids = found.scalars()
    now = server.context.clock()
    await add_rows(server, muted_users, [{"account_id": hamlet.id, "muted_id": each, "muted_at": now} for each in ids])
    refused = await call(server, hamlet, "POST", f"users/me/muted_users/{first}")
    assert (refused["status"], refused["msg"]) == (400, Cap.MUTED_USERS.refusal())


async def test_default_channels_are_capped(server: InProcessServer, hamlet: Known) -> None:
    made = {"realm_id": hamlet.account.realm_id, "created_at": server.context.clock(), "is_default": True}
    numbers = range(Cap.DEFAULT_CHANNELS.most)
    await add_rows(server, channels, [{**made, "name": f"c{n}", "name_key": f"c{n}"} for n in numbers])
    wanted = {"name": "one more", "subscribers": [], "is_default_stream": True}
    refused = await call(server, hamlet, "POST", "channels/create", **wanted)
    assert (refused["status"], refused["msg"]) == (400, Cap.DEFAULT_CHANNELS.refusal())


async def test_subscriptions_of_one_request_are_capped(server: InProcessServer, hamlet: Known) -> None:
    wanted = [{"name": f"c{n}"} for n in range(3000)]
    others = [(await server.add_person(f"p{n}")).id for n in range(4)]
    refused = await call(server, hamlet, "POST", "users/me/subscriptions", subscriptions=wanted, principals=others)
    assert (refused["status"], refused["msg"]) == (400, Cap.FOLLOWED.refusal())
    assert await number_of(server, channels) == 0


async def test_bots_of_an_account_are_capped_including_deactivated_ones(server: InProcessServer, hamlet: Known) -> None:
    bot = {"realm_id": hamlet.account.realm_id, "role": 400, "date_joined": server.context.clock(), "bot_type": 1,
           "bot_owner_id": hamlet.id, "is_active": False}  # fmt: skip
    emails = [f"b{n}-bot@example.com" for n in range(Cap.BOTS.most)]
    await add_rows(
        server, accounts, [{**bot, "delivery_email": each, "email_key": each, "full_name": each} for each in emails]
    )
    refused = await call(server, hamlet, "POST", "bots", full_name="One More", short_name="more")
    assert (refused["status"], refused["msg"]) == (400, Cap.BOTS.refusal())
    othello = await server.add_person("othello")
    other = await server.add_bot(othello, "other")
    refused = await call(server, hamlet, "PATCH", f"bots/{other.id}", bot_owner_id=hamlet.id)
    assert (refused["status"], refused["msg"]) == (400, Cap.BOTS.refusal())


async def test_a_sign_in_beyond_the_cap_ends_the_session_unseen_for_longest_and_is_logged(
    server: InProcessServer, hamlet: Known
) -> None:
    now = server.context.clock()
    rows = [
        {"digest": b"%d" % n, "account_id": hamlet.id, "created_at": now, "last_seen_at": now - timedelta(minutes=n),
         "expires_at": now + timedelta(days=1)}
        for n in range(Cap.SESSIONS.most)
    ]  # fmt: skip
    await add_rows(server, sessions_table, rows)
    async with server.context.change(None, origin=RequestOrigin("192.0.2.1", "test")) as change:
        await sessions.open_session(change.by(hamlet.account), hamlet.account)
    assert await number_of(server, sessions_table) == Cap.SESSIONS.most
    async with server.context.reading() as connection:
        kept = set((await connection.execute(select(sessions_table.c.digest))).scalars())
    assert b"%d" % (Cap.SESSIONS.most - 1) not in kept
    assert b"0" in kept
    assert ("session:closed", hamlet.id, hamlet.id) in await server.events()


async def test_devices_of_an_account_are_capped_but_each_can_be_renewed(server: InProcessServer, hamlet: Known) -> None:
    for number in range(2):
        token = f"token-{number}"
        assert (await call(server, hamlet, "POST", "users/me/android_gcm_reg_id", token=token))["status"] == 200
    row = {"account_id": hamlet.id, "kind": "fcm", "registered_at": server.context.clock()}
    more = [{**row, "token": f"t{n}", "token_digest": b"%d" % n} for n in range(Cap.DEVICES.most - 2)]
    await add_rows(server, devices, more)
    refused = await call(server, hamlet, "POST", "users/me/android_gcm_reg_id", token="one-more")
    assert (refused["status"], refused["msg"]) == (400, Cap.DEVICES.refusal())
    assert (await call(server, hamlet, "POST", "register_client_device"))["status"] == 400
    assert (await call(server, hamlet, "POST", "users/me/android_gcm_reg_id", token="token-1"))["status"] == 200


async def test_open_invitations_and_waiting_mails_are_capped(server: InProcessServer, hamlet: Known) -> None:
    now = server.context.clock()
    link = {"purpose": "invitation", "created_by": hamlet.id, "created_at": now, "expires_at": now + timedelta(days=1)}
    await add_rows(server, links, [{**link, "digest": b"%d" % n} for n in range(Cap.INVITATIONS.most)])
    refused = await call(server, hamlet, "POST", "invites", invitee_emails="a@example.org")
    assert (refused["status"], refused["code"]) == (400, "INVITATION_FAILED")
    assert refused["daily_limit_reached"] is True
    assert refused["msg"] == Cap.INVITATIONS.refusal()


async def test_a_recipient_gets_no_more_notices_while_many_wait_and_this_is_logged_once(
    server: InProcessServer, hamlet: Known, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = {"recipient": hamlet.email, "subject": "s", "body": "b", "created_at": server.context.clock(),
               "next_attempt_at": server.context.clock() + timedelta(hours=1)}  # fmt: skip
    await add_rows(server, mails, [waiting] * Cap.MAILS_TO_ONE.most)
    async with server.context.change(None) as change:
        await change.send(Mail(hamlet.email, "one more", "text"), Mail("other@example.com", "one", "text"))
        await change.send(Mail(hamlet.email, "and another", "text"))
    assert await number_of(server, mails) == Cap.MAILS_TO_ONE.most + 1
    assert caplog.text.count("a mail was not sent") == 1


async def sent(server: InProcessServer, who: Known) -> int:
    answer = await call(server, who, "POST", "messages", type="direct", to=[who.id], content="text")
    return int(answer["id"])


async def test_changes_of_a_message_are_capped(server: InProcessServer, hamlet: Known) -> None:
    message_id = await sent(server, hamlet)
    edit = {"user_id": hamlet.id, "timestamp": 1, "prev_content": "text", "prev_rendered_content": "text"}
    async with server.context.change(None) as change:
        edits = json.dumps([edit] * (Cap.EDITS.most - 1))
        await change.connection.execute(update(messages).where(messages.c.id == message_id).values(edits=edits))
    assert (await call(server, hamlet, "PATCH", f"messages/{message_id}", content="last"))["status"] == 200
    refused = await call(server, hamlet, "PATCH", f"messages/{message_id}", content="too many")
    assert (refused["status"], refused["msg"]) == (400, Cap.EDITS.refusal())


async def in_channel(server: InProcessServer, who: Known) -> int:
    await call(server, who, "POST", "users/me/subscriptions", subscriptions=[{"name": "c"}])
    return int((await call(server, who, "POST", "messages", type="stream", to="c", topic="t", content="text"))["id"])


async def set_edits(server: InProcessServer, message_id: int, edits: list[dict[str, object]]) -> None:
    async with server.context.change(None) as change:
        values = {"edits": json.dumps(edits)}
        await change.connection.execute(update(messages).where(messages.c.id == message_id).values(values))


async def test_moves_of_a_message_are_capped_and_higher_roles_may_move_it_more_often(
    server_on_each: InProcessServer,
) -> None:
    server, most, times = server_on_each, Cap.MOVES.most, itertools.count()
    people = {
        role: await server.add_person(role.name.lower(), role)
        for role in (Role.OWNER, Role.ADMINISTRATOR, Role.MODERATOR, Role.MEMBER)
    }
    message_id = await in_channel(server, people[Role.OWNER])
    move = {"user_id": 1, "timestamp": 1, "topic": "t", "prev_topic": '", "prev_content": "'}
    rewrite = {"user_id": 1, "timestamp": 1, "prev_content": '"prev_content": ', "prev_rendered_content": "text"}

    async def answer(role: Role, mode: str = "change_one") -> tuple[int, str]:
        fields = {"topic": f"topic {next(times)}", "propagate_mode": mode}
        got = await call(server, people[role], "PATCH", f"messages/{message_id}", **fields)
        return got["status"], got["msg"]

    refused = (400, Cap.MOVES.refusal())
    for moves, may, may_not in (
        (most - 1, [Role.MEMBER], []),
        (most, [Role.MODERATOR], [Role.MEMBER]),
        (2 * most, [Role.ADMINISTRATOR], [Role.MODERATOR]),
        (3 * most - 1, [Role.OWNER], [Role.MODERATOR]),
        (3 * most, [], [Role.OWNER, Role.ADMINISTRATOR]),
    ):
        await set_edits(server, message_id, [rewrite] * 30 + [move] * moves)
        assert [await answer(role, mode) for role in may_not for mode in ("change_one", "change_all")] == [
            refused
        ] * 2 * len(may_not)
        assert [await answer(role) for role in may] == [(200, "")] * len(may)


async def test_moves_leave_room_for_changes_of_the_text(server: InProcessServer, hamlet: Known) -> None:
    message_id = await in_channel(server, hamlet)
    await set_edits(server, message_id, [{"user_id": 1, "timestamp": 1, "topic": "t", "prev_topic": "s"}] * 600)
    assert (await call(server, hamlet, "PATCH", f"messages/{message_id}", content="new"))["status"] == 200


async def test_the_length_of_earlier_versions_of_a_message_is_capped(server: InProcessServer, hamlet: Known) -> None:
    message_id = await sent(server, hamlet)
    answers = [
        await call(server, hamlet, "PATCH", f"messages/{message_id}", content=f"{n} " + "x" * 9_900) for n in range(60)
    ]
    assert answers[0]["status"] == 200
    assert (answers[-1]["status"], answers[-1]["msg"]) == (400, Cap.EDITS_TEXT.refusal())


async def test_reactions_are_capped_for_an_account_and_for_a_message(server: InProcessServer, hamlet: Known) -> None:
    message_id = await sent(server, hamlet)
    shared = {"message_id": message_id, "emoji_name": "x", "kind": "unicode_emoji"}
    own = [{**shared, "account_id": hamlet.id, "emoji_code": f"{n}"} for n in range(Cap.OWN_REACTIONS.most)]
    await add_rows(server, reactions, own)
    path = f"messages/{message_id}/reactions"
    refused = await call(server, hamlet, "POST", path, emoji_name="thumbs_up")
    assert (refused["status"], refused["msg"]) == (400, Cap.OWN_REACTIONS.refusal())
    assert await number_of(server, reactions) == Cap.OWN_REACTIONS.most


async def test_keys_in_bot_storage_are_capped(server: InProcessServer, hamlet: Known) -> None:
    rows = [{"account_id": hamlet.id, "key": f"k{n}", "value": ""} for n in range(Cap.STORAGE_KEYS.most)]
    await add_rows(server, bot_storage, rows)
    refused = await call(server, hamlet, "PUT", "bot_storage", storage={"one more": ""})
    assert (refused["status"], refused["msg"]) == (400, Cap.STORAGE_KEYS.refusal())
    assert (await call(server, hamlet, "PUT", "bot_storage", storage={"k1": "text"}))["status"] == 200


@pytest.fixture
async def cramped(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[InProcessServer]:
    """A server with room for one MiB of files."""
    async with serving(prepared(tmp_path / "data", sqlite_template, upload_quota=1)) as server:
        yield server


async def test_uploads_have_a_quota_for_an_account_and_for_all(cramped: InProcessServer) -> None:
    async def upload(who: Known, size: int) -> dict[str, Any]:
        files = {"file": ("name.txt", b"x" * size, "text/plain")}
        answer: dict[str, Any] = (
            await cramped.client().post("/api/v1/user_uploads", auth=who.auth, files=files)
        ).json()
        return answer

    everybody = [await cramped.add_person(f"p{n}") for n in range(11)]
    for who in everybody[:10]:
        assert (await upload(who, 104_000))["result"] == "success"
        refused = await upload(who, 1000)
        assert (refused["code"], refused["msg"]) == ("REALM_UPLOAD_QUOTA", Cap.UPLOADS.refusal())
    assert (await upload(everybody[10], 20_000))["code"] == "REALM_UPLOAD_QUOTA"
    assert await number_of(cramped, uploads) == await number_of(cramped, upload_contents) == 10


async def test_the_sweep_works_in_slices_until_nothing_old_is_left_and_keeps_the_rest(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    now = server.context.clock()
    strangers, others = now - Retention.STRANGERS.days, now - Retention.AUDIT.days
    minute = timedelta(minutes=1)
    rows = [{"event": AuditEvent.SESSION_REFUSED.value, "at": strangers - minute}] * (2 * SLICE + 1)
    rows += [{"event": AuditEvent.SESSION_REFUSED.value, "at": strangers + minute}] * 3
    rows += [{"event": AuditEvent.SESSION_OPENED.value, "at": strangers - minute}] * 5
    rows += [{"event": AuditEvent.SESSION_OPENED.value, "at": others - minute}] * 7
    await add_rows(server, audit_table, rows)
    async with server.context.change(None) as change:
        assert await audit.remove_old(change.connection, now, limit=SLICE) == SLICE
    await housekeeping.sweep(server.context)
    assert await number_of(server, audit_table) == 3 + 5
