"""What trusted proxies report about a request: the client's address, and the scheme of its connection."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from starlette.types import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Peer(NamedTuple):
    """The client's end of the connection: its address, and `http` or `https`.

    `is_forwarded` means that a trusted proxy passed the request on.
    """

    address: str
    scheme: str
    is_forwarded: bool = False

    @classmethod
    def from_scope(cls, scope: Scope, trusted_proxies: Sequence[Network]) -> Peer:
        """The client as trusted proxies report it. Without a trusted proxy, the peer of the connection itself."""
        peer = scope.get("client")
        address, scheme = (peer[0] if peer else ""), str(scope["scheme"])
        if not _is_trusted(address, trusted_proxies):
            return cls(address, scheme)
        forwarded = _listed(scope, b"x-forwarded-proto")[-1:]  # the nearest proxy writes the last entry
        if forwarded in (["http"], ["https"]):
            scheme = forwarded[0]
        return cls(_forwarded_for(scope, address, trusted_proxies), scheme, is_forwarded=True)


def _forwarded_for(scope: Scope, peer: str, trusted_proxies: Sequence[Network]) -> str:
    """The nearest address that is not a trusted proxy's. Entries further left may have been written by anybody."""
    for hop in map(_without_port, reversed(_listed(scope, b"x-forwarded-for"))):
        try:
            ipaddress.ip_address(hop)
        except ValueError:
            return peer
        if not _is_trusted(hop, trusted_proxies):
            return hop
        peer = hop
    return peer


def _listed(scope: Scope, name: bytes) -> list[str]:
    """The entries of a header. Some proxies add one after a comma, others as another header (RFC 9110, 5.3)."""
    values = [str(value, "latin-1") for key, value in scope["headers"] if key == name]
    return [entry.strip() for entry in ",".join(values).split(",") if entry.strip()]


def _without_port(hop: str) -> str:
    """An address without the port that some proxies add to it. With a port, an IPv6 address is in brackets."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _is_trusted(address: str, trusted_proxies: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A server that listens on both kinds of address sees an IPv4 address in its IPv6 form.
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in trusted_proxies)
