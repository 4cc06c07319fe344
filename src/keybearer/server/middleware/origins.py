"""Where a request comes from: the peer's address, or what a trusted proxy says of it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from starlette.types import Scope

from keybearer.server.domain.actors import RequestOrigin

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that (lower-case) name, None where there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


def headers(scope: Scope, name: bytes) -> list[str]:
    """Every header of that (lower-case) name, in their order."""
    return [str(value, "latin-1") for key, value in scope["headers"] if key == name]


def prefers_html(scope: Scope) -> bool:
    """Whether the client would rather have a page than JSON, by its Accept header, as browsers that navigate do."""
    accept = header(scope, b"accept") or ""
    if "text/html" not in accept:
        return False
    qualities: dict[str, float] = {}
    for part in accept.split(","):
        kind, _, parameters = part.partition(";")
        match = re.search(r"(?:^|;)\s*q=([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", parameters)
        qualities[kind.strip().lower()] = float(match[1]) if match is not None else 1.0
    wildcards = max(qualities.get("application/*", 0.0), qualities.get("*/*", 0.0))
    return qualities.get("text/html", 0.0) > qualities.get("application/json", wildcards)


def origin_of(scope: Scope, trusted_proxies: Sequence[Network]) -> RequestOrigin:
    """The address and client of a request. `X-Forwarded-For` counts only as far as trusted proxies wrote it."""
    peer = scope.get("client")
    address = peer[0] if peer else ""
    if trusted_proxies and _is_trusted(address, trusted_proxies):
        address = _forwarded_for(scope, address, trusted_proxies)
    return RequestOrigin(address, header(scope, b"user-agent") or "")


def scheme_of(scope: Scope, trusted_proxies: Sequence[Network]) -> str:
    """`http` or `https`: that of the connection, or of the one to a trusted proxy."""
    peer = scope.get("client")
    if trusted_proxies and peer and _is_trusted(peer[0], trusted_proxies):
        forwarded = _listed(scope, b"x-forwarded-proto")[-1:]  # the proxy's own stands last
        if forwarded in (["http"], ["https"]):
            return forwarded[0]
    return str(scope["scheme"])


def _forwarded_for(scope: Scope, peer: str, trusted_proxies: Sequence[Network]) -> str:
    """The nearest address that no trusted proxy has: what stands further left, anybody may have written."""
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
    """What a header lists. Some proxies put their word behind a comma, others into a header of its own, behind the one
    that the client sent: both say the same (RFC 9110, 5.3)."""
    return [entry.strip() for entry in ",".join(headers(scope, name)).split(",") if entry.strip()]


def _without_port(hop: str) -> str:
    """An address as it is, or out of `address:port`, as some proxies write it; of IPv6 then in brackets."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _is_trusted(address: str, trusted_proxies: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A server that listens on both kinds of address sees those of IPv4 in their IPv6 form.
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in trusted_proxies)
