"""Rules: what a route asks of its callers. Whether an account may touch a particular thing is in `permissions`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Flag, auto

from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.errors import InsufficientScope, NotPermitted, Unauthenticated, WrongNetwork, must_be
from keybearer.server.domain.grants import ALL_SCOPES, NO_SCOPE, Grant, Scope, scope_names


class Way(Flag):
    """How a request says who sends it."""

    NOBODY = auto()
    KEY = auto()
    SESSION = auto()


@dataclass(frozen=True, slots=True)
class Who:
    """Which callers a route is for, by key or by session. Together with a scope it makes a rule."""

    ways: Way
    least_role: Role = Role.GUEST
    bots: bool = True
    incoming_webhooks: bool = False

    def may(self, scope: Scope, *, confirmed: bool | None = None) -> Rule:
        """The rule that lets these callers do it, and of keys only those with this scope.

        If the scope is `KEYS`, a session must have given its password recently. There are two exceptions, for which
        `confirmed` is False: the route itself asks for the password, or Zulip's documentation shows the route without
        it.
        """
        confirmed = Scope.KEYS in scope if confirmed is None else confirmed
        return Rule(self.ways, self.least_role, self.bots, self.incoming_webhooks, scope=scope, confirmed=confirmed)


@dataclass(frozen=True, slots=True)
class Rule(Who):
    """What a route asks of its callers.

    `scope` is the scope that a key needs. `confirmed` is whether a session needs a password that was given recently.
    """

    scope: Scope = field(kw_only=True)
    confirmed: bool = field(kw_only=True)
    is_open: bool = field(init=False)
    """Whether the route is open to everybody, without credentials."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_open", bool(self.ways & Way.NOBODY))  # read at every request


OPEN = Who(Way.NOBODY).may(NO_SCOPE)
EVERYBODY = Who(Way.KEY | Way.SESSION)
WEBHOOKS_TOO = Who(Way.KEY | Way.SESSION, incoming_webhooks=True)
PEOPLE = Who(Way.KEY | Way.SESSION, bots=False)
MEMBERS = Who(Way.KEY | Way.SESSION, least_role=Role.MEMBER, bots=False)
ADMINISTRATORS = Who(Way.KEY | Way.SESSION, least_role=Role.ADMINISTRATOR)
BY_KEY = Who(Way.KEY)
BY_KEY_WEBHOOKS_TOO = Who(Way.KEY, incoming_webhooks=True)
"""For routes about the key of the request."""
ANY_ACCOUNT = WEBHOOKS_TOO.may(NO_SCOPE)
"""For work that the server does in an account's name, without a route."""


def check_standing(account: Account, *, by_session: bool) -> None:
    """Raise Unauthenticated, with Zulip's words if it has any, for an account that may currently do nothing."""
    if not account.is_active:
        code = "USER_DEACTIVATED" if by_session else "UNAUTHORIZED"
        raise Unauthenticated("Account is deactivated", code=code)
    if account.lacks_active_owner:
        raise Unauthenticated("This bot has no active owner: ask an administrator to take it over.")


def check_entry(rule: Rule, account: Account, *, by_session: bool) -> None:
    """Raise Unauthenticated (NotPermitted for a session), with Zulip's words, for an incoming webhook bot at a route
    that is not for webhooks."""
    if account.bot_type is not BotType.INCOMING_WEBHOOK or rule.incoming_webhooks:
        return
    if by_session:  # only a server in development mode gives sessions to bots
        raise NotPermitted("Webhook bots can only access webhooks")
    raise Unauthenticated("This API is not available to incoming webhook bots.")


def check(rule: Rule, account: Account) -> None:
    """Raise NotPermitted, with Zulip's words, unless the rule lets this account do it."""
    if account.is_bot and not rule.bots:
        raise NotPermitted("This endpoint does not accept bot requests.")
    if account.role > rule.least_role:
        if rule.least_role is Role.MEMBER:
            raise NotPermitted("Not allowed for guest users")
        raise must_be("owner" if rule.least_role is Role.OWNER else "administrator")


def check_scope(scope: Scope, grant: Grant) -> None:
    """Raise InsufficientScope unless a key with this grant has these scopes."""
    # This is checked at every request, and operators of flags take microseconds. So account keys, which have all
    # scopes, return early, and the others are compared as numbers.
    if grant.scopes is not ALL_SCOPES and scope.value & ~grant.scopes.value:
        raise InsufficientScope(scope_names(scope & ~grant.scopes), scope_names(grant.scopes))


def check_network(grant: Grant, address: str) -> None:
    """Raise WrongNetwork unless a key with this grant may be used from this address."""
    if not grant.includes(address):
        raise WrongNetwork
