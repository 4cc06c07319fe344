"""Who sends a request (the caller), and who acts in a transaction (the actor)."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.domain.errors import BeyondGrant, PasswordNeeded
from keybearer.server.domain.grants import FULL, Grant, Scope
from keybearer.server.domain.rules import ANY_ACCOUNT, Rule, check_scope
from keybearer.server.domain.sessions import Session


class RequestOrigin(NamedTuple):
    """Where a request came from: its network address, and the client that it claims to be (User-Agent)."""

    address: str = ""
    client: str = ""

    @property
    def network(self) -> str:
        """What a limit counts as one place: an IPv4 address, or the /64 network that every IPv6 customer has at
        least."""
        return _network(self.address)


@lru_cache(maxsize=1024)
def _network(text: str) -> str:
    """The result is cached because somebody who tries one key after another is counted each time."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


class Caller(NamedTuple):
    """Who sends a request, as admission found it when the request began.

    A caller says who wants to act, never what they may do. A transaction or a snapshot reads the account again, with
    the key or session that was used, checks `rule` against that row, and passes on an `Actor`. Exactly one of `key_id`
    and `session_id` is set for a request. Both are None for work that the server does in an account's name.
    """

    account: Account
    origin: RequestOrigin = RequestOrigin()
    key_id: int | None = None
    session_id: int | None = None
    rule: Rule = ANY_ACCOUNT
    form: bytes | None = None
    """The digest of the one-time token in the submitted form, if it has one. The next transaction uses it up."""

    @property
    def id(self) -> int:
        """The account's id."""
        return self.account.id

    def under(self, rule: Rule) -> Caller:
        """The same caller, admitted by the given rule."""
        return Caller(self.account, self.origin, self.key_id, self.session_id, rule)

    def confirmed(self) -> Caller:
        """The same caller, through a form that asks for the password: a session counts only if its password was given
        recently."""
        return self._replace(rule=replace(self.rule, confirmed=True))


class Actor(NamedTuple):
    """The account that acts, with the key or session that was used, as they are in the transaction that acts."""

    account: Account
    origin: RequestOrigin = RequestOrigin()
    key: APIKeyRecord | None = None
    session: Session | None = None

    @property
    def id(self) -> int:
        """The account's id."""
        return self.account.id

    @property
    def session_id(self) -> int | None:
        """The id of the session; None if the actor used a key."""
        return None if self.session is None else self.session.id

    @property
    def grant(self) -> Grant:
        """What the actor's key allows. A session and the server itself may do everything."""
        return FULL if self.key is None else self.key.grant

    def check_scope(self, scope: Scope) -> None:
        """Raise InsufficientScope if the actor used a key without this scope. For parts of a route that need more than
        the route."""
        check_scope(scope, self.grant)

    def may_see_credentials(self, now: datetime) -> bool:
        """Whether the actor may see credentials of their bots among other things: with the scope `KEYS`, and by a
        session only with a recent password.
        """
        return Scope.KEYS in self.grant.scopes and (self.session is None or self.session.is_confirmed(now))

    def check_covers(self, grant: Grant) -> None:
        """Raise BeyondGrant if the actor used a key, and a key with this grant may do more than that key."""
        if not self.grant.covers(grant):
            raise BeyondGrant

    def check_password_is_fresh(self, now: datetime) -> None:
        """Raise PasswordNeeded if the actor used a session and gave the password too long ago, or never.

        A key needs no password: it cannot be used to fetch anything more powerful than itself.
        """
        if self.session is not None and not self.session.is_confirmed(now):
            raise PasswordNeeded
