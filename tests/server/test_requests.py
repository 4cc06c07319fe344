"""Where a request comes from: what a trusted proxy reports counts, but only what trusted proxies wrote."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.http.request import Request
from tests.asgi import FORM_TYPE, ask, by_key
from tests.in_process import InProcessServer

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128")]


def scope(peer: str, **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    rest = {"method": "GET", "path": "/", "query_string": b""}
    return {**rest, "client": (peer, 1), "scheme": "http", "headers": named}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.1", "198.51.100.9", "203.0.113.1"),
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9, 10.0.0.7", "198.51.100.9"),
        ("10.0.0.1", "10.0.0.8, 10.0.0.7", "10.0.0.8"),
        ("::ffff:10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9:51234", "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9, 10.0.0.7:443", "198.51.100.9"),
        ("10.0.0.1", "[2001:db8::7]:51234", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "nonsense:80", "10.0.0.1"),
        ("10.0.0.1", "nonsense, 10.0.0.7", "10.0.0.7"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_the_clients_address_is_the_nearest_that_is_not_a_trusted_proxys(
    peer: str, forwarded: str, address: str
) -> None:
    assert Request(scope(peer, x_forwarded_for=forwarded), PROXIES).origin.address == address


def test_headers_of_a_trusted_proxy_count_and_not_what_the_client_sent_in_them() -> None:
    asked = scope("10.0.0.1", x_forwarded_for="1.2.3.4", x_forwarded_proto="https")
    asked["headers"] += [(b"x-forwarded-for", b"198.51.100.9"), (b"x-forwarded-proto", b"http")]
    assert Request(asked, PROXIES).origin.address == "198.51.100.9"
    assert Request(asked, PROXIES).scheme == "http"


def test_without_trusted_proxies_forwarded_headers_do_not_count() -> None:
    asked = scope("203.0.113.1", x_forwarded_for="198.51.100.9", x_forwarded_proto="https")
    assert Request(asked, []).origin.address == "203.0.113.1"
    assert Request(asked, []).scheme == "http"


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "http, https", "https"),
        ("10.0.0.1", "https,http", "http"),
        ("10.0.0.1", "gopher", "http"),
        ("203.0.113.1", "https", "http"),
    ],
)
def test_a_trusted_proxy_says_whether_https_is_used(peer: str, said: str, scheme: str) -> None:
    assert Request(scope(peer, x_forwarded_proto=said), PROXIES).scheme == scheme


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.9", "198.51.100.9"),
        ("::ffff:198.51.100.9", "198.51.100.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_addresses_of_one_network_count_as_one_place(address: str, network: str) -> None:
    assert RequestOrigin(address).network == network


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html", True),
        ("*/*", False),
        ("application/json", False),
        ("text/html;q=0.5, application/json", False),
        ("text/html, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=nonsense", True),
        ("", False),
    ],
)
def test_the_accept_header_says_whether_a_client_prefers_a_page(accept: str, html: bool) -> None:
    assert Request(scope("203.0.113.1", accept=accept), []).prefers_html is html


async def test_a_program_whose_name_contains_a_null_character_is_answered(server_on_each: InProcessServer) -> None:
    hamlet = await server_on_each.add_person("hamlet")
    headers = {**by_key(hamlet.auth), "content-type": FORM_TYPE, "user-agent": "\x00Bot\x00/1"}
    presence = await ask(server_on_each.app, "POST", "/api/v1/users/me/presence", headers, b"status=active")
    to_self = f"type=direct&to=[{hamlet.id}]&content=hello".encode()
    message = await ask(server_on_each.app, "POST", "/api/v1/messages", headers, to_self)
    assert (presence.status, message.status) == (200, 200), (presence.text, message.text)
