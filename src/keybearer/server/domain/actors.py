"""Who a request comes from (the caller), and who acts in a transaction (the actor)."""

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
    """Where a request came from: the network address, and the client by its own word (User-Agent)."""

    address: str = ""
    client: str = ""

    @property
    def network(self) -> str:
        """What a limit counts as one place: an IPv4 address, or the /64 that one IPv6 customer has at least."""
        return _network(self.address)


@lru_cache(maxsize=1024)
def _network(text: str) -> str:
    """Remembered, because whoever tries one key after another is counted each time."""
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
    """Who a request comes from, as admission found it when the request began.

    It says who is to act, never what they may do: a transaction or a snapshot reads the account, and the key or session
    it came with, again, asks `rule` of that row, and hands on an `Actor`. Exactly one of `key_id` and `session_id` is
    set for a request; both are None for work that the server does in an account's name.
    """

    account: Account
    origin: RequestOrigin = RequestOrigin()
    key_id: int | None = None
    session_id: int | None = None
    rule: Rule = ANY_ACCOUNT
    form: bytes | None = None
    """The one-time token of the form that they sent, as a digest, where it has one: the next transaction uses it up."""

    @property
    def id(self) -> int:
        """The account's id."""
        return self.account.id

    def under(self, rule: Rule) -> Caller:
        """The same caller, admitted by this rule."""
        return Caller(self.account, self.origin, self.key_id, self.session_id, rule)

    def confirmed(self) -> Caller:
        """The same caller, by a form that asks for the password: a session counts only if it was given lately."""
        return self._replace(rule=replace(self.rule, confirmed=True))


class Actor(NamedTuple):
    """The account that acts, and the key or session it came with, as they are in the transaction that acts."""

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
        """The id of the session, None for an actor by key."""
        return None if self.session is None else self.session.id

    @property
    def grant(self) -> Grant:
        """What the actor may do, as far as the key says it: a session and the server itself may do everything."""
        return FULL if self.key is None else self.key.grant

    def check_scope(self, scope: Scope) -> None:
        """Raise InsufficientScope where they came by a key without the scope: for what a part of a route does."""
        check_scope(scope, self.grant)

    def check_covers(self, grant: Grant) -> None:
        """Raise BeyondGrant where they came by a key, and a key with this grant may do more than it."""
        if not self.grant.covers(grant):
            raise BeyondGrant

    def check_password_is_fresh(self, now: datetime) -> None:
        """Raise PasswordNeeded where they came by a session and gave the password too long ago, or not at all.

        A key needs no password: who has it can fetch nothing more with it than it is.
        """
        if self.session is not None and not self.session.is_confirmed(now):
            raise PasswordNeeded
