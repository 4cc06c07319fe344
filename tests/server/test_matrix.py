"""Every route behind every door, for every kind of caller: who is admitted, and what the others are told.

The expected result of a call follows from the rule of its route, by the oracle in this file.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from keybearer.server.api import routes
from keybearer.server.api.door import BY_KEY, BY_SESSION, FOR_WEBHOOKS, WireDoor
from keybearer.server.api.messaging import files, incoming_webhooks
from keybearer.server.api.messaging.files import FilesDoor
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.rules import ADMINISTRATORS, MEMBERS, OPEN, PEOPLE, Way, Who
from keybearer.server.http.authentication import NOT_OF_WEBHOOK
from keybearer.server.http.front_door import Door
from keybearer.server.http.routing import Route
from keybearer.server.services import api_keys
from keybearer.server.storage import accounts
from keybearer.server.web.door import PagesDoor
from keybearer.server.web.routes import ROUTES as PAGES
from keybearer.server.web.wording import refusal_words
from tests.asgi import Answer, Headers, ask, by_key, by_session
from tests.in_process import InProcessServer, Known, prepared, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENDPOINTS = routes.endpoints(for_development=False)
DOORS: Mapping[str, Door] = {
    "key": WireDoor(BY_KEY, ENDPOINTS),
    "webhook": WireDoor(FOR_WEBHOOKS, incoming_webhooks.ENDPOINTS),
    "session": WireDoor(BY_SESSION, ENDPOINTS),
    "file": FilesDoor(),
    "page": PagesDoor(),
}
WAYS = {"key": ("key",), "webhook": ("key",), "session": ("session",), "file": ("key", "session"), "page": ("session",)}
"""The credentials with which callers identify themselves at a door."""

CELLS: list[tuple[str, Route]] = [
    *(("key", route) for route in ENDPOINTS if route.rule.ways & (Way.KEY | Way.NOBODY)),
    *(("webhook", route) for route in incoming_webhooks.ENDPOINTS),
    *(("session", route) for route in ENDPOINTS if route.rule.ways & Way.SESSION),
    *(("file", route) for route in files.ROUTES),
    *(("page", route) for route in PAGES),
]

NOT_LOGGED_IN = "Not logged in: API authentication or user session required"
ENDS_ITS_CALLER = {
    "DELETE users/me",
    "POST users/me/api_key/regenerate",
    "POST /logout/",
    "POST /accounts/logout/",
    "POST /settings/account/api-key/regenerate/",
}


class Kind(NamedTuple):
    """A kind of account. `standing` is what is wrong with the account itself. `bot_type` is None for people."""

    role: Role = Role.MEMBER
    bot_type: BotType | None = None
    standing: str | None = None


KINDS: Mapping[str, Kind] = {
    **{role.label: Kind(role) for role in Role},
    "bot": Kind(bot_type=BotType.GENERIC),
    "incoming webhook bot": Kind(bot_type=BotType.INCOMING_WEBHOOK),
    "bot without an active owner": Kind(
        bot_type=BotType.GENERIC, standing="This bot has no active owner: ask an administrator to take it over."
    ),
    "deactivated": Kind(standing="Account is deactivated"),
}
FORM_TOKEN = {"cookie": "csrftoken=one-of-ours", "x-csrftoken": "one-of-ours"}
"""What a browser without a session sends with a form of the sign-in page."""

OVER = "over"
"""A kind of credentials: a key that was replaced, a session that was ended."""


@dataclass(frozen=True)
class Somebody:
    """A kind of caller with their credentials. `way` is how they identify themselves."""

    kind: str
    way: str
    headers: Headers


class Outcome(NamedTuple):
    """The expected result of a call: a refusal with this status and these words, or none."""

    status: int
    words: str = ""


LET_IN = Outcome(0)


def expected(door: str, route: Route, caller: Somebody, *, with_token: bool) -> Outcome:
    """The oracle."""
    rule = route.rule
    is_open = bool(rule.ways & Way.NOBODY)
    is_known = caller.way in WAYS[door] and caller.kind != OVER
    if door == "page" and is_known and (words := KINDS[caller.kind].standing):
        return Outcome(401, words)
    if not is_open:
        refused = _refused_by_rule(door, route, caller, is_known=is_known)
        if refused is not None:
            return refused
    needs_token = route.method != "GET" and (door == "page" or (not is_open and caller.way == "session"))
    return Outcome(403, "CSRF error") if needs_token and not with_token else LET_IN


def _refused_by_rule(door: str, route: Route, caller: Somebody, *, is_known: bool) -> Outcome | None:
    rule = route.rule
    if caller.way == "key" and "key" in WAYS[door] and caller.kind == OVER:
        return Outcome(401, "Invalid API key")
    if door == "webhook" and is_known and KINDS[caller.kind].bot_type is not BotType.INCOMING_WEBHOOK:
        return Outcome(401, NOT_OF_WEBHOOK)
    if not is_known:
        return Outcome(302) if door == "page" else Outcome(401, NOT_LOGGED_IN)
    kind = KINDS[caller.kind]
    if kind.standing is not None:
        return Outcome(401, kind.standing)
    forbidden = 403 if door == "page" else 400
    if kind.bot_type is BotType.INCOMING_WEBHOOK and not rule.incoming_webhooks:
        if caller.way == "key":
            return Outcome(401, "This API is not available to incoming webhook bots.")
        return Outcome(forbidden, "Webhook bots can only access webhooks")
    if kind.bot_type is not None and not rule.bots:
        return Outcome(forbidden, "This endpoint does not accept bot requests.")
    if kind.role > rule.least_role:
        words = {
            Role.MEMBER: "Not allowed for guest users",
            Role.ADMINISTRATOR: "Must be an organization administrator",
            Role.OWNER: "Must be an organization owner",
        }
        return Outcome(forbidden, words[rule.least_role])
    return None


def check(door: str, route: Route, caller: Somebody, answer: Answer, outcome: Outcome) -> None:
    """Fail unless the answer is that outcome. An admitted caller may still be refused because of what the call is
    about.
    """
    if outcome is LET_IN:
        assert answer.status in (200, 302, 303, 400, 404, 429), answer.text
        assert answer.message not in REFUSALS, answer.text
        led_to = answer.headers.get("location", "")
        assert not led_to.startswith("/login/") or route.name in ENDS_ITS_CALLER, led_to
        return
    assert answer.status == outcome.status, answer.text
    if outcome.status == 302:
        assert answer.headers["location"].startswith("/login/"), answer.headers
    elif door == "page":
        assert refusal_words(Refused(outcome.words)).rstrip(".") in answer.text
    elif outcome.words == "CSRF error":
        assert answer.message.startswith(outcome.words)
    else:
        assert answer.message.strip() == outcome.words
    if outcome.status == 401 and door != "page":
        asks_for_key = door in ("key", "webhook") or (door == "file" and caller.way == "key")
        scheme = "Basic" if asks_for_key else "Session"
        assert answer.headers["www-authenticate"] == f'{scheme} realm="zulip"'


REFUSALS = {
    NOT_LOGGED_IN,
    "Invalid API key",
    NOT_OF_WEBHOOK,
    "This API is not available to incoming webhook bots.",
    "Webhook bots can only access webhooks",
    "This endpoint does not accept bot requests.",
    "Not allowed for guest users",
    *(kind.standing for kind in KINDS.values()),
}

_numbers = itertools.count(1)


def path_of(door: str, route: Route) -> str:
    """A path of that route that names nothing that exists."""
    path = re.sub(r"\{\w+_id\}", "999999", DOORS[door].router.prefix.text + route.path)
    return re.sub(r"\{(\w+)\}", lambda name: "nobody@example.com" if name[1] == "email" else "nothing", path)


async def add(server: InProcessServer, kind: Kind) -> Known:
    """An active account of that kind."""
    number = next(_numbers)
    person = await server.add_person(f"person-{number}", kind.role)
    return person if kind.bot_type is None else await server.add_bot(person, f"bot-{number}", kind.bot_type)


async def new_caller(server: InProcessServer, name: str, way: str) -> Somebody:
    """A caller of that kind. Their key and session are valid; only the account's standing is as it says."""
    kind = KINDS[name]
    known = await add(server, kind)
    headers = by_session(await server.signed_in(known)) if way == "session" else by_key(known.auth) | FORM_TOKEN
    if kind.standing is not None:
        ended = known.id if kind.bot_type is None else known.account.bot_owner_id
        assert ended is not None
        async with server.context.change(None, holding=[ended], for_change=True) as change:
            account = await accounts.find(change.connection, ended)
            assert account is not None
            await accounts.save(change.connection, account._replace(is_active=False))
    return Somebody(name, way, headers)


async def caller_with_ended_credentials(server: InProcessServer, way: str) -> Somebody:
    """An active owner with a key that was replaced, or a session that was ended."""
    known = await add(server, Kind(Role.OWNER))
    if way == "key":
        await api_keys.regenerate_own(server.context, Caller(known.account))
        return Somebody(OVER, way, by_key(known.auth) | FORM_TOKEN)
    client = await server.signed_in(known)
    headers = by_session(client)
    assert (await client.post("/logout/")).status_code == 302
    return Somebody(OVER, way, headers)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> AsyncIterator[InProcessServer]:
    """One server for all cells."""
    directory = tmp_path_factory.mktemp("matrix") / "data"
    settings = prepared(directory, sqlite_template, api_limit="1000000/minute", failure_limit="1000000/minute")
    async with serving(settings) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everybody(server: InProcessServer) -> list[Somebody]:
    """One caller of each kind by each way, and an anonymous caller."""
    found = [Somebody("nobody", "none", FORM_TOKEN)]
    for way in ("key", "session"):
        found += [await new_caller(server, kind, way) for kind in KINDS]
        found.append(await caller_with_ended_credentials(server, way))
    return found


def is_asked(door: str, caller: Somebody) -> bool:
    """Whether a cell is worth a call. For credentials that do not count at the door, the owner's are enough."""
    return caller.way in ("none", *WAYS[door]) or caller.kind == "owner"


async def test_the_matrix_has_every_route_of_every_door_with_paths_that_reach_it() -> None:
    for door, route in CELLS:
        found = DOORS[door].router.find(path_of(door, route))
        assert found is not None, (door, route.name)
        assert found[0].routes[route.method] is route, (door, route.name)
    routers = [door.router for door in DOORS.values()]
    places = [place for router in routers for place in (*router._fixed.values(), *(at for _, at in router._patterns))]
    assert len(CELLS) == sum(len(place.routes) for place in places)


FOR_MEMBERS = {
    "/settings/bots/",
    "/settings/bots/add/",
    "/settings/bots/botserverrc/",
    "/settings/bots/{bot_id}/messages/",
    "/organization/invitations/",
    "/organization/invitations/add/",
}


async def test_pages_are_for_people_and_those_about_the_organization_for_administrators() -> None:
    for page in PAGES:
        is_about_it = page.path.startswith("/organization/") and "/invitations/" not in page.path
        is_for_people = (
            page.path.startswith(("/settings/", "/organization/", "/messages/", "/people/")) or page.path == "/"
        )
        by_place = ADMINISTRATORS if is_about_it else PEOPLE if is_for_people else OPEN
        who = MEMBERS if page.path in FOR_MEMBERS else by_place
        rule = page.rule
        assert Who(rule.ways, rule.least_role, rule.bots, rule.incoming_webhooks) == Who(
            who.ways, who.least_role, who.bots, who.incoming_webhooks
        ), page.name


@pytest.mark.parametrize(
    ("door", "route"), [pytest.param(door, route, id=f"{door} {route.name}") for door, route in CELLS]
)
async def test_each_caller_is_admitted_or_refused_as_the_rule_of_the_route_says(
    server: InProcessServer, everybody: list[Somebody], door: str, route: Route
) -> None:
    path, asked = path_of(door, route), [caller for caller in everybody if is_asked(door, caller)]
    for caller in asked:
        outcome = expected(door, route, caller, with_token=True)
        headers = caller.headers
        if outcome is LET_IN and route.name in ENDS_ITS_CALLER and caller.kind in KINDS:
            headers = (await new_caller(server, caller.kind, caller.way)).headers
        check(door, route, caller, await ask(server.app, route.method, path, headers), outcome)
        if door in ("session", "page") and route.method != "GET":
            headers = {name: value for name, value in caller.headers.items() if name != "x-csrftoken"}
            outcome = expected(door, route, caller, with_token=False)
            check(door, route, caller, await ask(server.app, route.method, path, headers), outcome)
