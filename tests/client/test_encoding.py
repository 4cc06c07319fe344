"""Requests as httpcore2 sends them, and its responses: addresses, forms with files, and gzip."""

from __future__ import annotations

import email
import gzip
import json
import ssl

import httpcore2
import pytest

from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.flow.steps import Request
from keybearer.client.http.encoding import UnusableAddress, encoded
from keybearer.client.http.multipart import multipart
from keybearer.client.http.transport import pool_options
from keybearer.client.operations.operation import FilePart
from keybearer.errors import Unreachable
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials
from tests.client.callers import Opener
from tests.client.scripted_server import EMAIL, KEY, PROFILE, Reply, ScriptedServer


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


def test_a_compressed_answer_is_read(open_client: Opener, server: ScriptedServer, credentials: Credentials) -> None:
    body = gzip.compress(json.dumps({"result": "success", "msg": "", **PROFILE}).encode())
    server.otherwise = Reply(body=body, headers={"Content-Encoding": "gzip"})

    assert open_client(credentials).get_profile().email == EMAIL
    assert server.seen[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_an_answer_that_cannot_be_decoded_is_garbled(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, encoding: str
) -> None:
    server.otherwise = Reply(body=b"{}", headers={"Content-Encoding": encoding})
    with pytest.raises(Unreachable, match="garbled"):
        open_client(credentials, retry=RetryPolicy(attempts=1)).get_profile()


@pytest.mark.parametrize(
    "proxy", ["ftp://proxy.example", "http://", "http://proxy.example:x", "socks5://proxy.example"]
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
