"""Grants: what a key lets its holder do, until when, and from where."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime
from enum import Flag, auto
from functools import lru_cache
from typing import NamedTuple

from keybearer.server.domain.errors import Refused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_NETWORKS = 20
"""Networks that one key may be limited to."""


class Scope(Flag):
    """What a route lets somebody do, and what a key is for. The order is by how much harm is possible."""

    READ = auto()
    SEND = auto()
    MANAGE = auto()
    KEYS = auto()


NO_SCOPE = Scope(0)
"""The scope of routes that every key may call."""

ALL_SCOPES = Scope.READ | Scope.SEND | Scope.MANAGE | Scope.KEYS
DEFAULT_SCOPES = Scope.READ | Scope.SEND

MEANINGS = {
    Scope.READ: "look at things, one's own presence and read flags, event queues",
    Scope.SEND: "messages, reactions, uploads, typing, stars, status, bot storage",
    Scope.MANAGE: "channels, subscriptions, people, settings",
    Scope.KEYS: "API keys, bots, invitations, passwords: all that reveals or changes a key or another credential",
}


def scope_names(scopes: Scope) -> list[str]:
    """The names of the scopes on the wire, in the order of `Scope`."""
    return [(scope.name or "").lower() for scope in Scope if scope in scopes]


def checked_scopes(names: Iterable[object]) -> Scope:
    """The scopes with these names. Raises Refused if a name is unknown or there are no names."""
    scopes = NO_SCOPE
    for name in names:
        if not isinstance(name, str) or name not in _BY_NAME:
            known = ", ".join(_BY_NAME)
            raise Refused(f"Invalid scopes: the scopes of an API key are {known}.")
        scopes |= _BY_NAME[name]
    if not scopes:
        raise Refused("Invalid scopes: an API key needs at least one.")
    return scopes


_BY_NAME = {name: scope for scope in Scope for name in scope_names(scope)}


@lru_cache(maxsize=1024)
def network(text: str) -> Network:
    """The network in a text such as `192.0.2.0/24` or a single address. Raises ValueError.

    An IPv4 network that is written in IPv6 form counts as the IPv4 network.
    """
    if "%" in text:
        raise ValueError(text)  # a link-local address has a zone, which is any text and differs by machine
    found = ipaddress.ip_network(text)
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96:
        mapped = found.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, found.prefixlen - 96))
    return found


def checked_networks(texts: Iterable[object]) -> tuple[str, ...]:
    """These networks in normal form, without duplicates. Raises Refused for an invalid text or too many networks."""
    networks: dict[str, None] = {}
    for text in texts:
        try:
            networks[str(network(text.strip() if isinstance(text, str) else ""))] = None
        except ValueError:
            raise Refused(
                "Invalid networks: write each as 192.0.2.0/24 or 2001:db8::/32, without bits behind the prefix."
            ) from None
    if len(networks) > MOST_NETWORKS:
        raise Refused(f"Invalid networks: an API key has at most {MOST_NETWORKS}.")
    return tuple(networks)


@lru_cache(maxsize=1024)
def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        host = network(address)
    except ValueError:
        return False
    return any(_contains(network(each), host) for each in networks)


def _contains(wide: Network, narrow: Network) -> bool:
    if isinstance(wide, ipaddress.IPv4Network):
        return isinstance(narrow, ipaddress.IPv4Network) and narrow.subnet_of(wide)
    return isinstance(narrow, ipaddress.IPv6Network) and narrow.subnet_of(wide)


class Grant(NamedTuple):
    """What a key lets its holder do: its scopes, until when (None: no end), and from which networks (empty: all).

    Sessions, account keys and the server itself have `FULL`.
    """

    scopes: Scope = ALL_SCOPES
    expires_at: datetime | None = None
    networks: tuple[str, ...] = ()

    def includes(self, address: str) -> bool:
        """Whether the key may be used from this address."""
        return not self.networks or _is_within(address, self.networks)

    def has_ended(self, now: datetime) -> bool:
        """Whether the key has expired."""
        return self.expires_at is not None and self.expires_at <= now

    def covers(self, other: Grant) -> bool:
        """Whether `other` allows nothing more: no extra scope, no later end, no wider network."""
        return (
            other.scopes in self.scopes
            and (self.expires_at is None or (other.expires_at is not None and other.expires_at <= self.expires_at))
            and self._covers_networks(other.networks)
        )

    def _covers_networks(self, others: tuple[str, ...]) -> bool:
        if not self.networks:
            return True
        own = [network(each) for each in self.networks]
        return bool(others) and all(any(_contains(wide, network(each)) for wide in own) for each in others)


FULL = Grant()
