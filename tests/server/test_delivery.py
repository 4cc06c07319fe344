"""Mails are sent by SMTP, or stay in the database. One that fails is tried again, and no mail is lost or sent early."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import smtplib
import ssl
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme
from sqlalchemy import insert, select, update

from keybearer.errors import SettingError
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.mails import Mail
from keybearer.server.services import outbox, smtp
from keybearer.server.services.context import Context
from keybearer.server.services.housekeeping import sweep
from keybearer.server.services.mail_delivery import MailDelivery
from keybearer.server.services.mail_texts import one_line
from keybearer.server.settings import Settings
from keybearer.server.storage import mails
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.tables import mails as mails_table
from tests.client.authority import Authority
from tests.server.smtp_server import smtp_server

MAIL = Mail("hamlet@example.com", "Grüße aus Helsingør", "Something happened.\n\nÆ, ø and å.\n")
START = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    """A clock that a test sets forward."""

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
    async with smtp_server() as server:
        context = context_with(f"smtp://127.0.0.1:{server.port}")
        await put(context)
        assert [await MailDelivery(context).deliver_due() for _ in range(2)] == [1, 0]
    (sent,) = server.messages
    assert (sent["To"], sent["Subject"]) == (MAIL.recipient, MAIL.subject)
    assert sent.get_content().replace("\r\n", "\n") == MAIL.body
    assert sent["Auto-Submitted"] == "auto-generated"
    assert await waiting(context, clock) == 0


@pytest.mark.parametrize("trouble", ["refusal", "hang_up", "nobody"])
async def test_a_mail_that_fails_waits_longer_each_time_and_is_sent_when_possible(
    context_with: Callable[[str | None], Context], clock: Clock, trouble: str
) -> None:
    async with smtp_server() as server:
        context = context_with(f"smtp://127.0.0.1:{server.port if trouble != 'nobody' else 1}")
        server.refusal, server.hang_up = ("451 later" if trouble == "refusal" else ""), trouble == "hang_up"
        await put(context)
        assert await MailDelivery(context).deliver_due() == 0
        assert await MailDelivery(context).deliver_due() == 0
        clock.now += timedelta(minutes=3)
        server.refusal, server.hang_up = "", False
        context = context_with(f"smtp://127.0.0.1:{server.port}")
        assert await MailDelivery(context).deliver_due() == 1
    assert len(server.messages) == 1


async def test_a_mail_that_is_never_accepted_is_given_up_and_kept(
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


async def test_without_a_mail_server_mails_stay_in_the_database_for_the_operator(
    context_with: Callable[[str | None], Context], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    context = context_with(None)
    await put(context)
    with caplog.at_level(logging.INFO):
        assert [await MailDelivery(context).deliver_due() for _ in range(2)] == [0, 0]
    assert caplog.text.count("keybearer admin outbox") == 1
    assert MAIL.recipient not in caplog.text
    (mail,) = await outbox.find(context, limit=10)
    assert (mail.recipient, mail.subject, mail.text, mail.is_given_up) == (*dataclasses.astuple(MAIL), True)
    assert MAIL.body not in repr(mail)
    assert await waiting(context, clock) == 0


async def test_of_mails_that_were_given_up_the_newest_are_kept(
    context_with: Callable[[str | None], Context], clock: Clock
) -> None:
    context = context_with(None)
    many = Cap.MAILS.most + 2
    row = {"recipient": "a@example.com", "subject": "", "body": "", "created_at": START, "next_attempt_at": START}
    async with context.change(None) as change:
        rows = [{**row, "id": number, "is_given_up": number > 1} for number in range(1, many + 2)]
        await change.connection.execute(insert(mails_table), rows)
    await sweep(context)
    async with context.reading() as connection:
        kept = (await connection.execute(select(mails_table.c.id).order_by(mails_table.c.id))).scalars().all()
    assert kept[:2] == [1, 4]
    assert len(kept) == Cap.MAILS.most + 1


async def test_a_long_link_is_not_broken_in_the_message(context_with: Callable[[str | None], Context]) -> None:
    link = f"https://chat.example.com/accounts/password/reset/{'x' * 80}/"
    async with smtp_server() as server:
        context = context_with(f"smtp://127.0.0.1:{server.port}")
        for beside in ("", "Grüße. "):
            await put(context, Mail(MAIL.recipient, MAIL.subject, f"{beside}Here:\n\n    {link}\n"))
        await MailDelivery(context).deliver_due()
    for sent in server.messages:
        assert link.encode() in sent.as_bytes()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this machine trusts."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", authority.bundle)
    return authority


def message() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "server@example.com", MAIL.recipient
    return message


@pytest.mark.parametrize(
    ("scheme", "offered", "is_sent_over_tls"),
    [
        ("smtp", "starttls", True),
        ("smtp", "", False),
        ("smtp+starttls", "starttls", True),
        ("smtp+starttls", "", None),
        ("smtps", "tls", True),
        ("smtps", "", None),
    ],
)
async def test_a_mail_is_sent_over_tls_or_not_at_all_if_the_url_demands_it(
    authority: Authority, scheme: str, offered: str, is_sent_over_tls: bool | None
) -> None:
    async with smtp_server(**({offered: authority.server_context()} if offered else {})) as server:
        with nullcontext() if is_sent_over_tls is not None else pytest.raises((OSError, smtplib.SMTPException)):
            await asyncio.to_thread(smtp.send, f"{scheme}://127.0.0.1:{server.port}", message())
    assert server.over_tls == ([] if is_sent_over_tls is None else [is_sent_over_tls])


@pytest.mark.parametrize(("scheme", "offered"), [("smtp", ""), ("smtp", "starttls"), ("smtps", "tls")])
async def test_a_password_is_sent_over_tls_only(authority: Authority, scheme: str, offered: str) -> None:
    async with smtp_server(**({offered: authority.server_context()} if offered else {})) as server:
        with nullcontext() if offered else pytest.raises(smtp.NoTLS, match="does not offer STARTTLS"):
            await asyncio.to_thread(smtp.send, f"{scheme}://post:pass%20word@127.0.0.1:{server.port}", message())
    assert server.credentials == ((b"post", b"pass word") if offered else None)


async def test_a_mail_server_with_an_untrusted_certificate_gets_nothing(authority: Authority) -> None:
    stranger = trustme.CA().issue_cert("127.0.0.1")
    async with smtp_server(starttls=authority.server_context(stranger)) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(smtp.send, f"smtp+starttls://post:word@127.0.0.1:{server.port}", message())
    assert (server.messages, server.credentials) == ([], None)


@pytest.mark.parametrize("word", ["hamlet@example.com", "pass"])
def test_the_reason_of_a_failure_does_not_repeat_the_servers_words(word: str) -> None:
    said = f"5.7.8 {word}".encode()
    refused = smtplib.SMTPAuthenticationError(535, said)
    assert smtp.reason(refused) == "SMTPAuthenticationError, code 535"
    assert word not in smtp.reason(smtplib.SMTPRecipientsRefused({word: (550, said)}))
    assert (
        smtp.reason(ConnectionRefusedError(111, "Connection refused")) == "ConnectionRefusedError: Connection refused"
    )


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
    async with smtp_server() as server:
        context = context_with(f"smtp://127.0.0.1:{server.port}")
        await put(context, Mail(MAIL.recipient, MAIL.subject, "Sealed.\n"))
        async with context.change(None) as change:
            await change.connection.execute(
                update(mails_table).values(body="Clear.\n", secret_id=None, sealed_body=None)
            )
        assert await MailDelivery(context).deliver_due() == 1
    assert server.messages[0].get_content().strip() == "Clear."


async def test_a_mail_whose_text_was_moved_from_another_holds_up_no_other(
    context_with: Callable[[str | None], Context], caplog: pytest.LogCaptureFixture
) -> None:
    async with smtp_server() as server:
        context = context_with(f"smtp://127.0.0.1:{server.port}")
        await put(context, Mail("claudius@example.com", "Yours", "Open the link of the king.\n"))
        await put(context)
        async with context.change(None) as change:
            await change.connection.execute(
                update(mails_table).where(mails_table.c.subject == "Yours").values(recipient="ophelia@example.com")
            )
        assert await MailDelivery(context).deliver_due() == 1
    assert [message["To"] for message in server.messages] == [MAIL.recipient]
    assert "SecretRingError" in caplog.text


async def test_a_mail_is_not_queued_if_its_transaction_was_not_written(
    context_with: Callable[[str | None], Context], clock: Clock
) -> None:
    context = context_with(None)
    with pytest.raises(RuntimeError):
        async with context.change(None) as change:
            await change.send(MAIL)
            raise RuntimeError
    assert await waiting(context, clock) == 0


async def test_two_workers_send_a_mail_once(context_with: Callable[[str | None], Context]) -> None:
    async with smtp_server() as server:
        context = context_with(f"smtp://127.0.0.1:{server.port}")
        await put(context)
        async with context.reading() as connection:
            due = await mails.find_due(connection, context.clock(), limit=10)
        first, second = MailDelivery(context), MailDelivery(context)
        assert [await first.deliver(due[0]), await second.deliver(due[0])] == [True, False]
    assert len(server.messages) == 1


async def test_a_name_in_a_subject_adds_no_header(context_with: Callable[[str | None], Context]) -> None:
    async with smtp_server() as server:
        context = context_with(f"smtp://127.0.0.1:{server.port}")
        await put(context, Mail(MAIL.recipient, one_line("Hello\r\nBcc: everybody@example.com"), "Text.\n"))
        await MailDelivery(context).deliver_due()
    assert server.messages[0]["Bcc"] is None


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail.example.com", "smtp://", "smtps+starttls://x"])
def test_an_invalid_mail_server_url_is_refused_at_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingError, match="KEYBEARER_SMTP_URL"):
        Settings(data_dir=tmp_path, smtp_url=url)


@pytest.mark.parametrize("sent", [b"220-welcome\r\n", b"x"], ids=["lines", "one line"])
async def test_a_mail_server_whose_reply_never_ends_is_given_up(sent: bytes) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(sent * 1000)
                await writer.drain()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(smtplib.SMTPException):
            await asyncio.to_thread(smtp.send, f"smtp://127.0.0.1:{port}", message())
