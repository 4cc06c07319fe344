"""Admission: the order of all checks of a request, written down in one place, for every door.

It refuses early and cheaply, but its permission is not final: a service checks again, for the account as it is then, in
the transaction that acts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import final

import msgspec
from starlette.types import Receive

from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.errors import NotLoggedIn, NotSetUp, PasswordNeeded, Refused
from keybearer.server.domain.grants import NO_SCOPE, Scope
from keybearer.server.domain.limits import Quota
from keybearer.server.domain.realms import Realm, host_name
from keybearer.server.domain.rules import EVERYBODY, Rule, check, check_entry, check_scope
from keybearer.server.domain.sessions import Session
from keybearer.server.http import csrf
from keybearer.server.http.authentication import Identified, KeyAuthentication, authenticate_session
from keybearer.server.http.body import NO_FIELDS, Fields, announced_length, form_kind, read_fields
from keybearer.server.http.limits import HeldBody, Limits
from keybearer.server.http.request import Request
from keybearer.server.http.routing import MethodNotAllowed, NothingHere, Place, Route
from keybearer.server.services.context import Context


class BadHost(Refused):
    """The Host header is malformed (status 400)."""

    def __init__(self) -> None:
        super().__init__("The Host header of the request is not valid.")


class WrongHost(Refused):
    """The organization is not at the requested host. Its site is `site` (status 404)."""

    def __init__(self, site: str) -> None:
        super().__init__("Account is not associated with this subdomain")
        self.site = site


class Admission(msgspec.Struct, eq=False):
    """One request during admission. Each check fills in what it found, and the code that answers may read it.

    `identified` is None if the request has no credentials, `realm` if it was not looked up or does not exist.
    `is_counted` means that the call was counted against the caller's limit. `quota` is what is left of that limit.
    `held` is how much of the body is in memory. `refusal` is the reason why the handler refused, if the handler words
    the refusal itself.
    """

    context: Context
    request: Request
    place: Place | None
    ids: Mapping[str, str]
    route: Route | None = None
    identified: Identified | None = None
    realm: Realm | None = None
    is_counted: bool = False
    quota: Quota | None = None
    fields: Fields = NO_FIELDS
    held: HeldBody | None = None
    refusal: Refused | None = None

    @property
    def caller(self) -> Caller:
        """The caller. Only for routes whose rule requires a known caller."""
        assert self.identified is not None
        return self.identified.caller

    @property
    def session(self) -> Session | None:
        """The session that the caller used."""
        return None if self.identified is None else self.identified.session

    @property
    def name(self) -> str:
        """The method and the path, with names in place of numbers and tokens, so that it is safe to log."""
        return f"{self.request.method} {self.place.path if self.place is not None else '(no route)'}"


class Admitted:
    """An admitted request as a handler sees it. Each door has its own subclass, which adds how it reads and answers."""

    __slots__ = ("_admission", "context", "request")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.context: Context = admission.context
        self.request: Request = admission.request

    @property
    def caller(self) -> Caller:
        """The caller. Only for routes whose rule requires a known caller."""
        return self._admission.caller

    @property
    def origin(self) -> RequestOrigin:
        """The client's address and name."""
        return self.request.origin

    @property
    def ids(self) -> Mapping[str, str]:
        """The numbers, names and tokens from the path."""
        return self._admission.ids


@dataclass(frozen=True, slots=True)
class Doorway:
    """What a door adds to the checks."""

    names_session_owner: bool = False
    """Whether open routes know who is signed in, and every route knows the organization, as on pages."""

    counts_calls: bool = True
    """Whether calls here count against the account's limit. Pages do not: a script that has used up the limit must not
    keep its owner from replacing its key. Their forms have a limit of their own, and those for keys have none.
    """

    is_for_webhooks: bool = False
    """Whether only incoming webhook bots are admitted, with a key that may be in the URL."""

    takes_method_field: bool = False
    """Whether a posted form with the field `method` means that method, as in Zulip."""

    checks_host: bool = True
    """Whether the Host header must be valid. Programs that ask about the server's health know only its address."""

    needs_token_when_open: bool = False
    """Whether changes need a form's token even if nobody is signed in, as on the sign-in page."""

    exists_before_setup: tuple[str, ...] = ()
    """The prefixes of paths that exist before there is an organization."""


@final
class Admitter:
    """Admits requests."""

    def __init__(self, context: Context, keys: KeyAuthentication, limits: Limits) -> None:
        self._context = context
        self._keys = keys
        self._limits = limits

    async def admit(self, admission: Admission, doorway: Doorway, receive: Receive) -> Route:
        """The route for the request: host, route, caller, limits, rule, body, CSRF are checked in this order.

        A call that its rule refuses is counted first: Zulip's answer carries the headers of the limit, and somebody who
        keeps trying is stopped.

        Raises Refused, or Disconnected if the client closes the connection before its request is complete.
        """
        request, place = admission.request, admission.place
        if doorway.checks_host and host_name(request.host) is None:
            raise BadHost
        if place is not None:
            admission.route = _route(place, request, doorway)
        if doorway.names_session_owner:
            await self._visit(admission, doorway)
        if place is None:
            raise NothingHere
        route = admission.route
        rule = route.rule if route is not None else _ANYTHING
        if not rule.is_open:
            found = admission.identified
            if found is None:
                found = admission.identified = await self._identify(request, place, doorway, rule)
            account = found.caller.account
            check_entry(rule, account, by_session=found.session is not None)
            if doorway.counts_calls:
                admission.is_counted = True
                key = found.key
                of_key = None if key is None or key.is_account_key else key.key_id
                admission.quota = self._limits.count_call(account, of_key)
                if self._limits.shared is not None:
                    shared = await self._limits.count_shared_call(self._limits.shared, account, of_key)
                    admission.quota = shared or admission.quota
            elif request.changes_something and Scope.KEYS not in rule.scope:
                self._limits.count_form(account)
            _check_rule(admission, found, rule)
        if request.query or request.changes_something:
            route = await self._read_body(admission, place, doorway, receive)
        if route is None:
            raise MethodNotAllowed(place.methods)
        return route

    async def _read_body(self, admission: Admission, place: Place, doorway: Doorway, receive: Receive) -> Route | None:
        """Read the fields of query and body, the method that a form may state, and for changes the form's token."""
        request, route = admission.request, admission.route
        who = admission.identified
        held = admission.held = self._limits.hold_body(request.origin.network if who is None else who.caller.id)
        limits, keep = (route or place).body, None
        if limits.keeper is not None and who is not None:
            keep = partial(limits.keeper, self._context, who.caller, announced_length(request))
        admission.fields = await read_fields(request, receive, limits, held, keep)
        if doorway.takes_method_field and request.method == "POST" and not place.is_open:
            route = admission.route = _route_of_form(place, admission.fields, route)
            if not route.rule.is_open:
                assert admission.identified is not None
                _check_rule(admission, admission.identified, route.rule)
        if request.changes_something and (admission.session is not None or doorway.needs_token_when_open):
            csrf.check(request, admission.fields.form.get(csrf.FIELD))
        return route

    async def _visit(self, admission: Admission, doorway: Doorway) -> None:
        """Find who is signed in, if anybody, and the organization, which must be at the requested host."""
        request = admission.request
        found = admission.identified = await authenticate_session(self._context, request)
        realm = admission.realm = found.realm if found is not None else await self._context.realm.find()
        if realm is None:
            if admission.place is not None and not request.path.startswith(doorway.exists_before_setup):
                raise NotSetUp
        elif not realm.answers_for(request.host):
            raise WrongHost(realm.site)

    def _identify(self, request: Request, place: Place, doorway: Doorway, rule: Rule) -> Awaitable[Identified]:
        """Find the caller, by key or by session, to be awaited. Raises Unauthenticated."""
        if doorway.is_for_webhooks:
            return self._keys.authenticate_webhook(request, rule)
        authorization = request.header(b"authorization") if place.by_key else None
        if authorization is None:
            return self._identify_by_session(request, place)
        return self._keys.authenticate(authorization, request.host, request.origin, rule)

    async def _identify_by_session(self, request: Request, place: Place) -> Identified:
        """Find who is signed in, and check that the request was sent to their organization's host. Raises
        NotLoggedIn.
        """
        found = await authenticate_session(self._context, request) if place.by_session else None
        if found is None:
            raise NotLoggedIn
        if not found.realm.answers_for(request.host):
            raise WrongHost(found.realm.site)
        return found


def _route(place: Place, request: Request, doorway: Doorway) -> Route | None:
    """The route for the method. None if a form may state another method. Raises MethodNotAllowed."""
    route = place.routes.get(request.method)
    if route is None:
        may_mean_another = doorway.takes_method_field and request.method == "POST" and not place.is_open
        if not (may_mean_another and form_kind(request)):
            raise MethodNotAllowed(place.methods)
    return route


def _route_of_form(place: Place, fields: Fields, route: Route | None) -> Route:
    """The route for the method that a posted form states. Raises MethodNotAllowed."""
    method = fields.form.get("method")
    meant = route if method is None else place.routes.get(method)
    if meant is None:
        raise MethodNotAllowed(place.methods)
    return meant


_ANYTHING = EVERYBODY.may(NO_SCOPE)
"""The rule that applies until the route of a form is known."""


def _check_rule(admission: Admission, found: Identified, rule: Rule) -> None:
    """Raise NotPermitted unless the rule admits the caller. The caller carries the rule into the transaction."""
    check(rule, found.caller.account)
    if found.key is not None:
        check_scope(rule.scope, found.key.grant)
    elif rule.confirmed and found.session is not None and not found.session.is_confirmed(admission.context.clock()):
        raise PasswordNeeded
    if found.caller.rule is not rule:
        admission.identified = Identified(found.caller.under(rule), found.realm, found.session, found.key)
