"""Which hosts are this machine. The client, the server and the command line all use the same function."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.zuliprc.hosts import is_loopback


@pytest.mark.parametrize("host", ["localhost", "LocalHost.", "chat.localhost", "a.b.localhost", "Chat.LocalHost."])
def test_localhost_and_every_name_below_it_is_a_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.255.1.2", "::1", "0:0:0:0:0:0:0:1", "[::1]", "::ffff:127.0.0.1", "::FFFF:7f00:1",
     "[::ffff:127.0.0.1]"],
)  # fmt: skip
def test_a_loopback_address_is_a_loopback_in_every_form(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "localhost.example", "xlocalhost", "chat.localhost.example.com", "127.1", "127.0.0.1.example.com",
     "0.0.0.0", "128.0.0.1", "::", "::2", "::ffff:8.8.8.8", "[::ffff:8.8.8.8]", "[localhost]", "[127.0.0.1]", "[::1",  # noqa: S104
     "localhost:9991", "127.0.0.1:9991", "[::1]:9991"],
)  # fmt: skip
def test_names_that_only_look_like_a_loopback_are_none(host: str) -> None:
    assert not is_loopback(host)


@given(st.ip_addresses(v=4))
def test_all_forms_of_an_ipv4_address_have_the_same_result(address: ipaddress.IPv4Address) -> None:
    forms = [f"{address}", f"::ffff:{address}", f"[::ffff:{address}]"]
    assert {is_loopback(form) for form in forms} == {address in ipaddress.ip_network("127.0.0.0/8")}
