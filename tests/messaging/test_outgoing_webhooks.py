"""Outgoing webhook bots: called with Zulip's payload, answered for, and never at an address that is not allowed."""

from __future__ import annotations

import gzip
import ipaddress
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from keybearer.server.domain.bots import BotService, BotType, ServiceInterface
from keybearer.server.domain.messaging.outgoing_webhooks import BadAnswer, may_be_called, reply_in
from keybearer.server.services.messaging.outgoing_webhooks import MOST_CALLS_OF_OWNER
from keybearer.testing import Participant
from tests.messaging.conftest import Play


@dataclass
class Service:
    """A service that answers what a test wants, and remembers what it was sent."""

    port: int = 0
    status: int = 200
    body: bytes = b'{"content": "pong"}'
    encoding: str | None = None
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def bot(self, play: Play, name: str, *, owner: Participant | None = None, path: str = "hook?x=1") -> Participant:
        """A bot that calls it. Calls of `wait` are answered when they may go on."""
        url = f"http://127.0.0.1:{self.port}/{path}"
        return play.server.add_bot(name, owner=owner or play.hamlet, bot_type=BotType.OUTGOING_WEBHOOK, payload_url=url)


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            found.calls.append((dict(self.headers), content))
            if self.path == "/wait":
                found.go_on.wait(30)
            self.send_response(found.status)
            self.send_header("content-length", str(len(found.body)))
            if found.encoding is not None:
                self.send_header("content-encoding", found.encoding)
            if found.status == 302:
                self.send_header("location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    found.port = server.server_port
    yield found
    found.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_to_the_bot_is_posted_and_the_answer_is_sent_back(play: Play, service: Service) -> None:
    bot = service.bot(play, "Pinger One")
    assert play.hamlet.ask(bot, "ping").content == "pong"
    ((headers, content),) = service.calls
    told = json.loads(content)
    assert headers["Content-Type"] == "application/json"
    assert (told["data"], told["trigger"], told["bot_email"]) == ("ping", "direct_message", bot.email)
    assert (told["message"]["content"], told["message"]["sender_email"]) == ("ping", play.hamlet.email)
    assert bot.client.credentials is not None
    assert bot.client.credentials.token is not None
    assert told["token"] == bot.client.credentials.token.reveal()


def test_a_mention_in_a_channel_is_answered_there(play: Play, service: Service) -> None:
    bot = service.bot(play, "Pinger Two")
    answer = play.hamlet.ask(bot, "ping", to="general", topic="hooks")
    assert (answer.content, answer.display_recipient, answer.topic) == ("pong", "general", "hooks")
    assert json.loads(service.calls[0][1])["trigger"] == "mention"


def test_a_service_may_answer_with_nothing(play: Play, service: Service) -> None:
    bot = service.bot(play, "Pinger Three")
    service.body = b'{"response_not_required": true}'
    play.hamlet.send("one", to=bot)
    service.body = b'{"response_string": "two heard"}'
    assert play.hamlet.ask(bot, "two").content in ("two heard",)


def test_the_slow_services_of_one_owner_do_not_delay_those_of_others(play: Play, service: Service) -> None:
    slow = [service.bot(play, f"Slow {number}", path="wait") for number in range(24)]
    quick = service.bot(play, "Quick", owner=play.owner)
    play.hamlet.send("all of you", to=slow)
    assert play.owner.ask(quick, "ping").content == "pong"
    waiting = [json.loads(content)["message"]["content"] for _, content in service.calls].count("all of you")
    assert 0 < waiting <= MOST_CALLS_OF_OWNER
    service.go_on.set()
    assert play.owner.ask(quick, "ping").content == "pong"


def test_bots_do_not_call_bots(play: Play, service: Service) -> None:
    bot = service.bot(play, "Pinger Four")
    play.bot.send("are you there?", to=bot)
    assert play.hamlet.ask(bot, "ping").content == "pong"
    assert [json.loads(content)["message"]["sender_id"] for _, content in service.calls] == [play.hamlet.id]


@pytest.mark.parametrize(
    ("answer", "calls", "reason"),
    [
        ((400, b""), 1, "Third party responded with 400"),
        ((302, b""), 1, "Third party responded with 302"),
        ((200, b"<html>"), 1, "Invalid JSON in response"),
        ((200, b"[]"), 1, "Invalid response format"),
        ((200, b'{"content": "half of a character: \\ud800"}'), 1, "Invalid JSON in response"),
        ((200, b'"' + b"x" * 300_000 + b'"'), 1, "The service's answer is too large"),
        pytest.param((503, b""), 3, "The service answered with status 503", marks=pytest.mark.soak),
    ],
    ids=["400", "302", "html", "list", "half a character", "large", "503"],
)
def test_a_service_that_fails_is_reported(
    play: Play, service: Service, answer: tuple[int, bytes], calls: int, reason: str
) -> None:
    service.status, service.body = answer
    bot = service.bot(play, f"Failing {service.status} {len(service.body)}")
    sent = play.cordelia.send("ping", to=bot)
    failure = play.cordelia.wait_for_message(sender=bot, after=sent, timeout=30)
    assert failure.content == "Failure! Bot is unavailable"
    told = play.hamlet.wait_for_message(sender=bot, containing="triggered")
    assert told.content.endswith(f"triggered an outgoing webhook.\n{reason}.")
    assert len(service.calls) == calls


def test_a_compressed_answer_is_not_unpacked(play: Play, service: Service) -> None:
    service.encoding, service.body = "gzip, gzip", gzip.compress(gzip.compress(service.body))
    bot = service.bot(play, "Compressing")
    sent = play.cordelia.send("ping", to=bot)
    failure = play.cordelia.wait_for_message(sender=bot, after=sent, timeout=30)
    assert failure.content == "Failure! Bot is unavailable"
    told = play.hamlet.wait_for_message(sender=bot, containing="triggered")
    assert told.content.endswith("The service's answer is compressed, which was not asked for.")
    ((headers, _),) = service.calls
    assert headers["Accept-Encoding"] == "identity"


def test_an_address_that_is_not_allowed_is_not_called(play: Play, service: Service) -> None:
    url = f"http://[::1]:{service.port}/"
    bot = play.server.add_bot("Reaching Bot", owner=play.hamlet, bot_type=BotType.OUTGOING_WEBHOOK, payload_url=url)
    play.hamlet.send("ping", to=bot)
    told = play.hamlet.wait_for_message(sender=bot, containing="triggered")
    assert told.content.endswith("This server's operator does not allow webhooks to that address.")
    assert service.calls == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.1.2.3", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_loopback_and_private_addresses_are_refused_in_every_form(address: str) -> None:
    assert not may_be_called(ipaddress.ip_address(address), [])


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111"])
def test_public_addresses_may_be_called(address: str) -> None:
    assert may_be_called(ipaddress.ip_address(address), [])


def test_addresses_that_the_operator_allows_may_be_called() -> None:
    allowed = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128")]
    assert may_be_called(ipaddress.ip_address("10.9.8.7"), allowed)
    assert may_be_called(ipaddress.ip_address("::1"), allowed)
    assert not may_be_called(ipaddress.ip_address("127.0.0.1"), allowed)


def test_answers_mean_what_zulip_says_they_mean() -> None:
    generic = BotService(1, "x", "http://x.example", ServiceInterface.GENERIC)
    slack = BotService(1, "x", "http://x.example", ServiceInterface.SLACK)
    assert reply_in(generic, b'{"content": "x"}') == "x"
    assert reply_in(generic, b'{"response_string": "x"}') == "x"
    assert reply_in(generic, b'{"content": ""}') is None
    assert reply_in(generic, b'{"content": 1}') is None
    assert reply_in(generic, b"") is None
    assert reply_in(slack, b'{"text": "x"}') == "x"
    with pytest.raises(BadAnswer):
        reply_in(generic, b"[" * 100_000)
