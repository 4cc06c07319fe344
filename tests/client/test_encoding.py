"""Requests as httpcore2 sends them, and its responses: addresses, forms with files, and gzip."""

from __future__ import annotations

import base64
import email
import gzip
import json
import logging
import signal
import socket
import ssl
import sys
import traceback
import zlib
from types import ModuleType

import httpcore2
import pytest

from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.flow.steps import Request
from keybearer.client.http.encoding import (
    LARGEST_BODY,
    MOST_MEMBERS,
    Garbled,
    UnusableAddress,
    decoded,
    encoded,
)
from keybearer.client.http.handshake import naming_issuer, probe
from keybearer.client.http.multipart import multipart
from keybearer.client.http.transport import pool_options
from keybearer.client.operations.operation import FilePart
from keybearer.errors import TLSFailed, Unreachable
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials
from tests.client.callers import Opener
from tests.client.scripted_server import EMAIL, KEY, PROFILE, Reply, ScriptedServer, Seen


def request_to(url: str) -> Request:
    return Request("GET", url, 5.0, "x")


@pytest.mark.parametrize(
    ("url", "host", "header", "target"),
    [
        ("https://chat.example.com/api/v1/users/me", "chat.example.com", "chat.example.com", "/api/v1/users/me"),
        ("https://chat.example.com:443/x?a=%20b&c=d", "chat.example.com", "chat.example.com", "/x?a=%20b&c=d"),
        ("http://chat.example.com:443", "chat.example.com", "chat.example.com:443", "/"),
        ("https://bücher.example/ünï", "xn--bcher-kva.example", "xn--bcher-kva.example", "/%C3%BCn%C3%AF"),
        ("https://straße.example/", "xn--strae-oqa.example", "xn--strae-oqa.example", "/"),
        ("http://[::1]:9991/x", "::1", "[::1]:9991", "/x"),
        ("http://[fe80::1%eth0]/x", "fe80::1%eth0", "[fe80::1]", "/x"),
    ],
)
def test_an_address_is_sent_in_ascii(url: str, host: str, header: str, target: str) -> None:
    arguments = encoded(request_to(url))

    assert (arguments["url"].host, arguments["url"].target) == (host.encode(), target.encode())
    assert arguments["headers"]["Host"] == header


@pytest.mark.parametrize(
    "url", [f"https://{'ü' * 70}.example/", "https://ü_ü.example/", "https://chat.example.com:99999"]
)
def test_an_address_that_cannot_be_sent_is_refused(url: str) -> None:
    with pytest.raises(UnusableAddress):
        encoded(request_to(url))


def test_a_form_with_files_has_a_part_for_each() -> None:
    kind, body = multipart([("to", "gänse")], [FilePart("a.txt", b"\x00\r\n"), FilePart("b", b"")])
    boundary = kind.partition("boundary=")[2]

    disposition = "\r\nContent-Disposition: form-data; name="
    assert body.decode().split(f"--{boundary}") == [
        "",
        f'{disposition}"to"\r\n\r\ngänse\r\n',
        f'{disposition}"file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n\x00\r\n\r\n',
        f'{disposition}"file1"; filename="b"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n',
        "--\r\n",
    ]


def test_a_file_name_cannot_end_its_header() -> None:
    kind, body = multipart([], [FilePart('a"; x="\r\nEvil: yes\\.txt', b"content")])
    _, part = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).walk()

    assert "Evil" not in part
    assert part.get_filename() == "a%22; x=%22%0D%0AEvil: yes\\.txt"
    assert part.get_content_type() == "text/plain"


@pytest.mark.parametrize("name", ["a\0\t\x1f\x7fb.txt", "caf\udce9.txt", "\ud800.txt"])
def test_any_file_name_can_be_sent(name: str) -> None:
    kind, body = multipart([], [FilePart(name, b"content")])
    _, part = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).walk()

    assert part.get_payload(decode=True) == b"content"
    assert str(part.get_filename()).isprintable()


ANSWER = json.dumps({"result": "success", "msg": "", **PROFILE}).encode()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(ANSWER)),
        ("X-GZip", gzip.compress(ANSWER)),
        ("gzip", gzip.compress(ANSWER[:9]) + gzip.compress(ANSWER[9:])),
        ("gzip", gzip.compress(ANSWER) + b"\0 more"),
        ("gzip, gzip", gzip.compress(gzip.compress(ANSWER))),
        ("identity, gzip", gzip.compress(ANSWER)),
        ("utf-8", ANSWER),
        ("none", ANSWER),
        ("", ANSWER),
    ],
)
def test_an_answer_is_read_in_gzip_and_in_encodings_that_mean_nothing(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, encoding: str, body: bytes
) -> None:
    server.otherwise = Reply(body=body, headers={"Content-Encoding": encoding})

    assert open_client(credentials).get_profile().email == EMAIL
    assert server.seen[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("encoding", "body"), [("gzip", b"{}"), ("gzip", gzip.compress(ANSWER)[:-9]), ("br", b"{}"), ("gzip, br", b"{}")]
)
def test_an_answer_that_cannot_be_decoded_is_garbled(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, encoding: str, body: bytes
) -> None:
    server.otherwise = Reply(body=body, headers={"Content-Encoding": encoding})
    with pytest.raises(Unreachable, match="garbled"):
        open_client(credentials, retry=RetryPolicy(attempts=1)).get_profile()


def zipped_zeros(size: int) -> bytes:
    """A gzip file of so many zeros, made piece by piece."""
    packer, piece = zlib.compressobj(wbits=31), bytes(1024 * 1024)
    return b"".join([packer.compress(piece) for _ in range(size // len(piece))]) + packer.flush()


def test_a_small_answer_cannot_fill_the_memory_or_take_minutes() -> None:
    response = httpcore2.Response(200, headers=[("Content-Encoding", "gzip")])
    for body in zipped_zeros(LARGEST_BODY + 1024 * 1024), gzip.compress(b"") * (MOST_MEMBERS + 1):
        with pytest.raises(Garbled):
            decoded(response, body)


def test_an_endless_answer_is_not_received(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = Reply(body=bytes(LARGEST_BODY + 1))
    with pytest.raises(Unreachable, match="garbled"):
        open_client(credentials, retry=RetryPolicy(attempts=1)).get_profile()


def test_the_values_of_a_repeated_header_are_joined() -> None:
    response = httpcore2.Response(200, headers=[("Content-Encoding", "gzip"), ("CONTENT-ENCODING", "gzip")])

    assert decoded(response, b"").headers == {"content-encoding": "gzip, gzip"}


def frames_showing(secret: str, error: BaseException | None) -> list[str]:
    """Where a report of the error with the variables of its frames would show the secret."""
    found = []
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename != __file__:
                found += [
                    f"{frame.f_code.co_qualname}: {name}"
                    for name, value in frame.f_locals.items()
                    if secret in repr(value)
                ]
        error = error.__cause__ or error.__context__
    return found


def test_the_frames_of_an_interrupted_call_do_not_show_the_key(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    def interrupt(_: Seen) -> Reply:
        signal.raise_signal(signal.SIGINT)
        return Reply(hang_up=True)

    server.otherwise = interrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        open_client(credentials).request("POST", "messages", {"secret": Secret(KEY)})

    assert frames_showing(KEY, caught.value) == []
    assert frames_showing(base64.b64encode(f"{EMAIL}:{KEY}".encode()).decode(), caught.value) == []


def test_the_most_detailed_log_does_not_show_the_key(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    open_client(credentials).request("POST", "messages", {"secret": Secret(KEY)})

    assert "httpcore2" in caplog.text
    assert KEY not in caplog.text
    assert base64.b64encode(f"{EMAIL}:{KEY}".encode()).decode() not in caplog.text


def test_the_log_of_a_socks_proxy_does_not_show_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://ann:proxypassword@proxy.example")
    monkeypatch.setitem(sys.modules, "socksio", ModuleType("socksio"))
    pool_options(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "https://chat.example.invalid")

    assert not logging.getLogger("httpcore2.socks").isEnabledFor(logging.DEBUG)


def test_a_closer_look_goes_to_the_host_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own encoding of `straße.example` is `strasse.example`, which is another host."""
    looked_up = []

    def getaddrinfo(host: str, *_: object) -> None:
        looked_up.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    probe("https://straße.example", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), has_client_certificate=True)
    naming_issuer(TLSFailed("unknown", reason="unknown_issuer"), "https://straße.example")

    assert looked_up == ["xn--strae-oqa.example"] * 2


@pytest.mark.parametrize(
    "proxy",
    ["ftp://proxy.example", "http://", "http://proxy.example:x", "http://proxy..example", "socks5://proxy.example"],
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(
    open_client: Opener, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(Unreachable, match="HTTPS_PROXY") as raised:
        open_client(Credentials(EMAIL, Secret(KEY), "https://chat.example.invalid")).get_profile()

    assert ("socksio" in str(raised.value)) == proxy.startswith("socks")


def test_a_login_at_a_proxy_is_sent_to_it_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://ann:p%40ss@proxy.example:3128")
    proxy = pool_options(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "https://chat.example.invalid")["proxy"]

    assert isinstance(proxy, httpcore2.Proxy)
    assert (proxy.url.host, proxy.url.port, proxy.auth) == (b"proxy.example", 3128, (b"ann", b"p@ss"))
