"""Hosts: names and addresses of machines."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether the whole of `host`, which has no port, names this machine.

    That is `localhost`, a name below it, or a loopback address. An IPv6 address may be in brackets, and an IPv4
    address may be written as an IPv6 one (`::ffff:127.0.0.1`).
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.IPv6Address(host[1:-1]) if bracketed else ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
