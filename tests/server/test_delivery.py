"""Mails leave by SMTP, or into the outbox; one that fails is tried again, and no mail is lost or sent early."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from keybearer.errors import SettingError
from keybearer.server.domain.mails import Mail
from keybearer.server.services.context import Context
from keybearer.server.services.mail_delivery import MailDelivery
from keybearer.server.services.mail_texts import one_line
from keybearer.server.settings import Settings
from keybearer.server.storage import mails
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.tables import mails as mails_table
from tests.server.smtp_server import smtp_server

MAIL = Mail("hamlet@example.com", "Grüße aus Helsingør", "Something happened.\n\nÆ, ø and å.\n")
START = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    """A clock that a test puts forward."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def context_with(tmp_path: Path, database: Database, ring: SecretRing, clock: Clock) -> Callable[[str | None], Context]:
    """A context that sends to this address, on each database."""

    def make(smtp_url: str | None) -> Context:
        return Context(Settings(data_dir=tmp_path, smtp_url=smtp_url), database, ring, clock)

    return make


async def put(context: Context, mail: Mail = MAIL) -> None:
    async with context.change(None) as change:
        await change.send(mail)


async def waiting(context: Context, clock: Clock) -> int:
    async with context.reading() as connection:
        return len(await mails.find_due(connection, clock.now + timedelta(days=365), limit=10))


async def test_a_mail_goes_to_the_smtp_server_once(context_with: Callable[[str | None], Context], clock: Clock) -> None:
    async with smtp_server() as smtp:
        context = context_with(f"smtp://post:pass%20word@127.0.0.1:{smtp.port}")
        await put(context)
        assert [await MailDelivery(context).deliver_due() for _ in range(2)] == [1, 0]
    (message,) = smtp.messages
    assert (message["To"], message["Subject"]) == (MAIL.recipient, MAIL.subject)
    assert message.get_content().replace("\r\n", "\n") == MAIL.body
    assert message["Auto-Submitted"] == "auto-generated"
    assert smtp.credentials == "\0post\0pass word"
    assert await waiting(context, clock) == 0


@pytest.mark.parametrize("trouble", ["refusal", "hang_up", "nobody"])
async def test_a_mail_that_fails_waits_longer_each_time_and_goes_out_when_it_can(
    context_with: Callable[[str | None], Context], clock: Clock, trouble: str
) -> None:
    async with smtp_server() as smtp:
        context = context_with(f"smtp://127.0.0.1:{smtp.port if trouble != 'nobody' else 1}")
        smtp.refusal, smtp.hang_up = ("451 later" if trouble == "refusal" else ""), trouble == "hang_up"
        await put(context)
        assert await MailDelivery(context).deliver_due() == 0
        assert await MailDelivery(context).deliver_due() == 0
        clock.now += timedelta(minutes=3)
        smtp.refusal, smtp.hang_up = "", False
        context = context_with(f"smtp://127.0.0.1:{smtp.port}")
        assert await MailDelivery(context).deliver_due() == 1
    assert len(smtp.messages) == 1


async def test_a_mail_that_nobody_takes_is_given_up_and_stays_to_be_seen(
    context_with: Callable[[str | None], Context], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    context = context_with("smtp://127.0.0.1:1")
    await put(context)
    for _ in range(12):
        await MailDelivery(context).deliver_due()
        clock.now += timedelta(days=1)
    assert "given up" in caplog.text
    assert MAIL.body not in caplog.text
    async with context.reading() as connection:
        rows = await connection.exec_driver_sql("SELECT attempts, is_given_up FROM mails")
        assert [(row.attempts, bool(row.is_given_up)) for row in rows] == [(8, True)]


async def test_without_an_smtp_server_mails_are_files_in_the_outbox(
    context_with: Callable[[str | None], Context], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = context_with(None)
    await put(context)
    with caplog.at_level(logging.INFO):
        assert await MailDelivery(context).deliver_due() == 1
    outbox = tmp_path / "outbox"
    (path,) = outbox.iterdir()
    assert str(path) in caplog.text
    assert outbox.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert MAIL.recipient in path.read_text()


@pytest.mark.parametrize("beside", ["", "Grüße. "])
async def test_a_long_link_stands_in_the_file_unbroken(
    context_with: Callable[[str | None], Context], tmp_path: Path, beside: str
) -> None:
    link = f"https://chat.example.com/accounts/password/reset/{'x' * 80}/"
    context = context_with(None)
    await put(context, Mail(MAIL.recipient, MAIL.subject, f"{beside}Here:\n\n    {link}\n"))
    await MailDelivery(context).deliver_due()
    (path,) = (tmp_path / "outbox").iterdir()
    assert link in path.read_text("utf-8").splitlines()[-1]


async def rows_of(context: Context) -> list[dict[str, object]]:
    async with context.reading() as connection:
        rows = await connection.exec_driver_sql("SELECT * FROM mails ORDER BY id")
        return [dict(row) for row in rows.mappings()]


async def test_the_text_of_a_mail_that_waits_is_in_no_column(
    context_with: Callable[[str | None], Context], clock: Clock
) -> None:
    context = context_with("smtp://127.0.0.1:1")
    await put(context, Mail(MAIL.recipient, MAIL.subject, "Open https://chat.example.com/join/TheTokenOfALink/\n"))
    await MailDelivery(context).deliver_due()
    (row,) = await rows_of(context)
    assert "TheTokenOfALink" not in repr(row)


async def test_a_mail_from_before_texts_were_sealed_goes_out(context_with: Callable[[str | None], Context]) -> None:
    async with smtp_server() as smtp:
        context = context_with(f"smtp://127.0.0.1:{smtp.port}")
        await put(context, Mail(MAIL.recipient, MAIL.subject, "Sealed.\n"))
        async with context.change(None) as change:
            await change.connection.execute(
                update(mails_table).values(body="Clear.\n", secret_id=None, sealed_body=None)
            )
        assert await MailDelivery(context).deliver_due() == 1
    assert smtp.messages[0].get_content().strip() == "Clear."


async def test_a_mail_whose_text_was_moved_from_another_holds_up_no_other(
    context_with: Callable[[str | None], Context], caplog: pytest.LogCaptureFixture
) -> None:
    async with smtp_server() as smtp:
        context = context_with(f"smtp://127.0.0.1:{smtp.port}")
        await put(context, Mail("claudius@example.com", "Yours", "Open the link of the king.\n"))
        await put(context)
        async with context.change(None) as change:
            await change.connection.execute(
                update(mails_table).where(mails_table.c.subject == "Yours").values(recipient="ophelia@example.com")
            )
        assert await MailDelivery(context).deliver_due() == 1
    assert [message["To"] for message in smtp.messages] == [MAIL.recipient]
    assert "SecretRingError" in caplog.text


async def test_a_mail_is_not_there_where_its_transaction_was_not_written(
    context_with: Callable[[str | None], Context], clock: Clock
) -> None:
    context = context_with(None)
    with pytest.raises(RuntimeError):
        async with context.change(None) as change:
            await change.send(MAIL)
            raise RuntimeError
    assert await waiting(context, clock) == 0


async def test_two_workers_send_a_mail_once(context_with: Callable[[str | None], Context]) -> None:
    async with smtp_server() as smtp:
        context = context_with(f"smtp://127.0.0.1:{smtp.port}")
        await put(context)
        async with context.reading() as connection:
            due = await mails.find_due(connection, context.clock(), limit=10)
        first, second = MailDelivery(context), MailDelivery(context)
        assert [await first.deliver(due[0]), await second.deliver(due[0])] == [True, False]
    assert len(smtp.messages) == 1


async def test_a_name_in_a_subject_adds_no_header(context_with: Callable[[str | None], Context]) -> None:
    async with smtp_server() as smtp:
        context = context_with(f"smtp://127.0.0.1:{smtp.port}")
        await put(context, Mail(MAIL.recipient, one_line("Hello\r\nBcc: everybody@example.com"), "Text.\n"))
        await MailDelivery(context).deliver_due()
    assert smtp.messages[0]["Bcc"] is None


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail.example.com", "smtp://"])
def test_an_address_that_is_no_mail_servers_is_refused_at_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingError, match="KEYBEARER_SMTP_URL"):
        Settings(data_dir=tmp_path, smtp_url=url)
