"""The actor: who is asking, and how that is known."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from keybearer.server.domain.accounts import Account


class RequestOrigin(NamedTuple):
    """Where a request came from: the network address, and the client by its own word (User-Agent)."""

    address: str = ""
    client: str = ""

    @property
    def network(self) -> str:
        """What a limit counts as one place: an IPv4 address, or the /64 that one IPv6 customer has at least."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(address, ipaddress.IPv4Address):
            return str(address)
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


class Actor(NamedTuple):
    """An account that is asking.

    Exactly one of `key_id` and `session_id` is set for a request; both are None for the command line of the
    server's own machine.
    """

    account: Account
    origin: RequestOrigin = RequestOrigin()
    key_id: int | None = None
    session_id: int | None = None

    @property
    def id(self) -> int:
        """The account's id."""
        return self.account.id
