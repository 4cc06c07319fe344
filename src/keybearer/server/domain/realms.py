"""The realm ("organization" to people): its site, and who may do what in it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from urllib.parse import urlsplit

from keybearer.server.domain.accounts import Role, is_email
from keybearer.server.domain.key_policy import NO_POLICY, KeyPolicy
from keybearer.zuliprc.hosts import is_loopback

FALLBACK_BOT_DOMAIN = "keybearer.localhost"
"""Where bots live if the site's host cannot be part of a mail address.

Such hosts are IP addresses, `localhost`, and names without a dot, with an underscore, or with a number or a single
letter at their end.
"""


class SystemGroup(Enum):
    """Zulip's groups by role. The value is the id on the wire, which is the same in every realm here."""

    NOBODY = 1
    OWNERS = 2
    ADMINISTRATORS = 3
    MODERATORS = 4
    FULL_MEMBERS = 5
    MEMBERS = 6
    EVERYONE = 7
    INTERNET = 8

    @property
    def wire_name(self) -> str:
        """Zulip's name, as in `role:members`."""
        return f"role:{self.name.lower().replace('_', '')}"

    @property
    def meaning(self) -> str:
        """Who is in it, as people read it, in Zulip's words."""
        return _MEANINGS[self]

    @property
    def direct_role(self) -> Role | None:
        """The role of its direct members. Its other members are those of its subgroup."""
        return _DIRECT_ROLES.get(self)

    @property
    def subgroup(self) -> SystemGroup | None:
        """The group that it contains in addition to its direct members."""
        return _SUBGROUPS.get(self)

    def includes(self, role: Role) -> bool:
        """Whether an account of this role belongs to the group. `NOBODY` includes no one, not even owners."""
        return self is not SystemGroup.NOBODY and role <= _LEAST_ROLE[self]


_LEAST_ROLE = {
    SystemGroup.OWNERS: Role.OWNER,
    SystemGroup.ADMINISTRATORS: Role.ADMINISTRATOR,
    SystemGroup.MODERATORS: Role.MODERATOR,
    SystemGroup.FULL_MEMBERS: Role.MEMBER,
    SystemGroup.MEMBERS: Role.MEMBER,
    SystemGroup.EVERYONE: Role.GUEST,
    SystemGroup.INTERNET: Role.GUEST,
}


_DIRECT_ROLES = {
    SystemGroup.OWNERS: Role.OWNER,
    SystemGroup.ADMINISTRATORS: Role.ADMINISTRATOR,
    SystemGroup.MODERATORS: Role.MODERATOR,
    SystemGroup.FULL_MEMBERS: Role.MEMBER,
    SystemGroup.EVERYONE: Role.GUEST,
}

_SUBGROUPS = {
    SystemGroup.ADMINISTRATORS: SystemGroup.OWNERS,
    SystemGroup.MODERATORS: SystemGroup.ADMINISTRATORS,
    SystemGroup.FULL_MEMBERS: SystemGroup.MODERATORS,
    SystemGroup.MEMBERS: SystemGroup.FULL_MEMBERS,
    SystemGroup.EVERYONE: SystemGroup.MEMBERS,
    SystemGroup.INTERNET: SystemGroup.EVERYONE,
}

_MEANINGS = {
    SystemGroup.NOBODY: "Nobody",
    SystemGroup.OWNERS: "Owners of this organization",
    SystemGroup.ADMINISTRATORS: "Administrators of this organization, including owners",
    SystemGroup.MODERATORS: "Moderators of this organization, including administrators",
    SystemGroup.FULL_MEMBERS: "Members of this organization, not including new accounts and guests",
    SystemGroup.MEMBERS: "Members of this organization, not including guests",
    SystemGroup.EVERYONE: "Everyone in this organization, including guests",
    SystemGroup.INTERNET: "Everyone on the Internet",
}


@dataclass(frozen=True, slots=True)
class Realm:
    """One organization. `site` is its canonical address, as in every zuliprc that it issues."""

    id: int
    name: str
    site: str
    created_at: datetime
    description: str = ""
    is_active: bool = True
    can_create_bots: SystemGroup = SystemGroup.MEMBERS
    can_create_write_only_bots: SystemGroup = SystemGroup.MEMBERS
    can_invite: SystemGroup = SystemGroup.ADMINISTRATORS
    key_policy: KeyPolicy = NO_POLICY

    @property
    def host(self) -> str:
        """The site's host as programs write it: in lower case, without a port. A name with non-ASCII letters is in its
        ASCII form."""
        return _as_sent(self.site)

    @property
    def bot_domain(self) -> str:
        """The domain of this realm's bot addresses."""
        return bot_domain_of(self.site)

    def answers_for(self, host: str) -> bool:
        """Whether a request that names `host` (a Host header, with or without port) is meant for this realm.

        Ports are not compared, as in Zulip. A realm on this machine answers to each of its loopback names.
        """
        return len(host) <= _LONGEST_HOST and _answers_for(self.site, host)


_HOST = re.compile(r"([a-z0-9._-]+|\[[a-f0-9]*:[a-f0-9.:]+\])(?::[0-9]{1,5})?", re.ASCII)

_LONGEST_HOST = 300
"""Length of a Host header, in characters: a name has at most 253 (RFC 1035), and a port may follow."""


def host_name(host: str) -> str | None:
    """The name or address in a Host header, in lower case, without a port. None if it cannot be a host."""
    return _host_name(host) if len(host) <= _LONGEST_HOST else None


@lru_cache(maxsize=256)
def _host_name(host: str) -> str | None:
    match = _HOST.fullmatch(host.lower())
    return None if match is None else match[1].strip("[]").removesuffix(".") or None


@lru_cache(maxsize=16)
def _as_sent(site: str) -> str:
    """The host of a site as clients write it in the Host header: names with non-ASCII letters in their IDNA form."""
    host = urlsplit(site).hostname or ""
    try:
        return host.encode("idna").decode("ascii").removesuffix(".")
    except UnicodeError:
        return host


@lru_cache(maxsize=256)
def _answers_for(site: str, host: str) -> bool:
    asked = host_name(host)
    if asked is None:
        return False
    own = _as_sent(site)
    return asked == own or (is_loopback(asked) and is_loopback(own))


@lru_cache(maxsize=16)
def bot_domain_of(site: str) -> str:
    """The domain of the bot addresses of the realm at this site."""
    host = _as_sent(site)
    is_numeric = host.rpartition(".")[2].isdigit()
    return host if is_email(f"bot@{host}") and not is_numeric and host != "localhost" else FALLBACK_BOT_DOMAIN


@lru_cache(maxsize=256)
def is_address(host: str) -> bool:
    """Whether `host` is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
