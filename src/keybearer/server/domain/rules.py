"""Rules: what a route asks of whoever calls it. Whether an account may touch a particular thing is in `permissions`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Flag, auto

from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.errors import NotPermitted, Unauthenticated, must_be


class Way(Flag):
    """How a request says who is asking."""

    NOBODY = auto()
    KEY = auto()
    SESSION = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route asks of whoever calls it, by key or by session."""

    ways: Way
    least_role: Role = Role.GUEST
    bots: bool = True
    incoming_webhooks: bool = False
    is_open: bool = field(init=False)
    """Whether it asks nobody who they are."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_open", bool(self.ways & Way.NOBODY))  # asked at every request


OPEN = Rule(Way.NOBODY)
EVERYBODY = Rule(Way.KEY | Way.SESSION)
WEBHOOKS_TOO = Rule(Way.KEY | Way.SESSION, incoming_webhooks=True)
PEOPLE = Rule(Way.KEY | Way.SESSION, bots=False)
MEMBERS = Rule(Way.KEY | Way.SESSION, least_role=Role.MEMBER, bots=False)
ADMINISTRATORS = Rule(Way.KEY | Way.SESSION, least_role=Role.ADMINISTRATOR)
ANY_ACCOUNT = WEBHOOKS_TOO
"""For work that the server does in an account's name, which came by no route."""


def check_standing(account: Account, *, by_session: bool) -> None:
    """Raise Unauthenticated, with Zulip's words where it has some, for an account that may do nothing at present."""
    if not account.is_active:
        code = "USER_DEACTIVATED" if by_session else "UNAUTHORIZED"
        raise Unauthenticated("Account is deactivated", code=code)
    if account.lacks_active_owner:
        raise Unauthenticated("This bot has no active owner: ask an administrator to take it over.")


def check_entry(rule: Rule, account: Account, *, by_session: bool) -> None:
    """Raise Unauthenticated, or NotPermitted by a session, with Zulip's words, for an incoming webhook bot at a route
    that is not for webhooks."""
    if account.bot_type is not BotType.INCOMING_WEBHOOK or rule.incoming_webhooks:
        return
    if by_session:  # which only a server that runs for development gives to bots
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
