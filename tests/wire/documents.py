"""The parts of the reference that are made from what the tests know. `python -m tests.wire.documents` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from keybearer.server.api import routes, unavailable
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging import files
from keybearer.server.api.messaging import incoming_webhooks as hooks
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.grants import scope_names
from keybearer.server.domain.limits import Cap, Retention
from keybearer.server.domain.rules import Rule, Way
from keybearer.server.http.body import BodyLimits
from keybearer.server.http.routing import Route
from keybearer.server.web import routes as pages
from tests.wire.differences import BY_DESIGN, DIFFERENCES, LEFT_OUT
from tests.wire.documented_fields import never_sent

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"
WIRE = REFERENCE / "wire.md"
DIFFERENCES_PAGE = REFERENCE / "differences.md"
ROUTES_PAGE = REFERENCE / "routes.md"
UNAVAILABLE_PAGE = REFERENCE / "unavailable.md"
LIMITS_PAGE = REFERENCE / "limits.md"
MARKS = re.compile(r"(<!-- endpoints: [^\n]* -->\n).*?(<!-- end of endpoints -->)", re.DOTALL)

INTRODUCTION = """# Differences from Zulip

Made by `python -m tests.wire.documents` from the lists that the tests hold the server to. The reasons are told at
length in the [decisions](../decisions/README.md).
"""


def wire() -> str:
    """The page of the wire, with its table of endpoints as it should be."""
    return MARKS.sub(lambda match: match[1] + _endpoints() + match[2], WIRE.read_text("utf-8"))


def _endpoints() -> str:
    lines = ["| endpoint | by key | by session | who | scope of the key | what |", "|---|---|---|---|---|---|"]
    for endpoint in _available():
        rule = endpoint.rule
        by_key, by_session = ("yes" if rule.ways & way else "" for way in (Way.KEY, Way.SESSION))
        who = _who(rule, endpoint.name)
        scope = _scope(rule)
        lines.append(f"| `{endpoint.name}` | {by_key} | {by_session} | {who} | {scope} | {endpoint.summary} |")
    return "\n".join(lines) + "\n"


def _available() -> list[Endpoint]:
    return [each for each in routes.endpoints(for_development=True) if each.is_available]


def _scope(rule: Rule) -> str:
    """What a key needs, and that a session needs its password anew."""
    names = ", ".join(f"`{name}`" for name in scope_names(rule.scope))
    by_session = "; by session, a fresh password" if rule.confirmed and rule.ways & Way.SESSION else ""
    return f"{names or ('' if rule.is_open else 'any')}{by_session}"


def _who(rule: Rule, name: str) -> str:
    if name.startswith("external/"):
        return "incoming webhook bots, and nobody else"
    if rule.ways & Way.NOBODY:
        return "nobody is asked; with `--development` only" if "dev_" in name else "nobody is asked"
    who = {Role.GUEST: "everybody", Role.MEMBER: "members and above"}.get(rule.least_role, "administrators")
    if not rule.bots:
        return f"{who}, no bots" if rule.least_role is not Role.GUEST else "people"
    return f"{who}, incoming webhook bots too" if rule.incoming_webhooks else who


ROUTES_INTRODUCTION = """# Who may call what

Made by `python -m tests.wire.documents` from the routes of the server. Every request comes in by one front door, which
checks in this order: the host, the route, who calls, the limit on calls, the rule below, the body within its limits,
and for changes by a browser the token against forgery. The service asks the rule again in the transaction that acts.
"""


def who_may_call_what() -> str:
    """The page of all routes, with the rule and the body's limits of each."""
    wire = _available()
    doors: list[tuple[str, str, Iterable[Route]]] = [
        ("The wire by key: `/api/v1/`", "/api/v1/", [each for each in wire if each.rule.ways & (Way.KEY | Way.NOBODY)]),
        ("For services: `/api/v1/external/`, by the key of an incoming webhook bot", "/api/v1/", hooks.ENDPOINTS),
        ("The wire by session: `/json/`", "/json/", [each for each in wire if each.rule.ways & Way.SESSION]),
        ("Uploaded files: `/user_uploads/`, by key or by session", "/user_uploads/", files.ROUTES),
        ("Pages, by session", "", pages.ROUTES),
    ]
    lines = [ROUTES_INTRODUCTION]
    for title, prefix, listed in doors:
        rows = [
            (
                f"`{each.method} {prefix}{each.path}`",
                _who(each.rule, each.path),
                _scope(each.rule),
                _size(each.body),
            )
            for each in listed
        ]
        lines += [f"## {title}", "", *_table(("route", "who", "scope of a key", "the largest body"), rows), ""]
    return "\n".join(lines)


def _size(body: BodyLimits) -> str:
    if not body.form:
        return "none"
    largest = f"{body.form // 1024} kB"
    return largest if body.form == body.multipart else f"{largest}, with files {body.multipart // 1024} kB"


UNAVAILABLE_INTRODUCTION = """# What is not available

Made by `python -m tests.wire.documents` from the list that the server answers by. These endpoints of Zulip's API are
not here. Whoever calls one with a good key or session is answered with status 404, the code `NOT_AVAILABLE` and a
message such as `Drafts are not available on this server.`; whoever is not known gets 401, as everywhere.
"""


def not_available() -> str:
    """The page of what Zulip's API has and this server has not."""
    rows = [(what, "<br>".join(f"`{name}`" for name in names)) for what, names in unavailable.UNAVAILABLE.items()]
    return "\n".join([UNAVAILABLE_INTRODUCTION, *_table(("what", "endpoints"), rows), ""])


LIMITS_INTRODUCTION = """# Limits

Made by `python -m tests.wire.documents` from the table of the server (`domain/limits.py`). How often something may be
tried is in [the wire](wire.md#limits).
"""


def limits() -> str:
    """The page of the caps."""
    caps = [(f"{cap.most:,}", cap.what, cap.refusal(over=1).replace(" by 1 characters", "")) for cap in Cap]
    kept = [(f"{each.days.days} days", each.what) for each in Retention]
    return "\n".join(
        [
            LIMITS_INTRODUCTION,
            "## At most",
            "",
            *_table(("most", "of what", "what happens, or the words of the refusal"), caps),
            "",
            "## How long it is kept",
            "",
            *_table(("how long", "what"), kept),
            "",
        ]
    )


def differences() -> str:
    """The page of the differences."""
    recorded = [
        (_names(each.exchanges), _names(each.fields), _with_link(each.reason, each.decision)) for each in DIFFERENCES
    ]
    return "\n".join(
        [
            INTRODUCTION,
            "## From recorded answers",
            "",
            *_table(("questions", "fields", "why"), recorded),
            "",
            "## Not asked",
            "",
            *_table(("questions", "why"), [(_names(name), why) for name, why in LEFT_OUT.items()]),
            "",
            "## Where nothing was recorded",
            "",
            *_table(
                ("what", "Zulip", "Keybearer"), [(what, zulip, _with_link(*ours)) for what, zulip, ours in BY_DESIGN]
            ),
            "",
            "## Documented by Zulip and never sent",
            "",
            *_table(("where", "fields"), [(where, _names(" ".join(missing))) for where, missing in never_sent()]),
            "",
        ]
    )


def _names(patterns: str) -> str:
    return ", ".join("all" if pattern == "*" else f"`{pattern}`" for pattern in patterns.split())


def _with_link(reason: str, decision: str) -> str:
    if not decision:
        return reason
    (path,) = DECISIONS.glob(f"{decision}-*.md")
    return f"{reason} ([{decision}](../decisions/{path.name}))"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    titles = list(head)
    return [f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), *rows)]


def main() -> None:
    """Write the pages."""
    WIRE.write_text(wire(), "utf-8")
    DIFFERENCES_PAGE.write_text(differences(), "utf-8")
    ROUTES_PAGE.write_text(who_may_call_what(), "utf-8")
    UNAVAILABLE_PAGE.write_text(not_available(), "utf-8")
    LIMITS_PAGE.write_text(limits(), "utf-8")


if __name__ == "__main__":
    main()
