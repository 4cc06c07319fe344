"""Renders templates to HTML. Everything is escaped, and an unknown name in a template is an error."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from keybearer.server.web.assets import load_assets
from keybearer.server.web.clients import client_name
from keybearer.server.web.wording import code_spans, counted, group_words, scope_words

GROUP_LENGTH = 4

AFTER_START = 1.0
BETWEEN = 0.02
"""Seconds before the first template is loaded, and between two of them."""


def grouped(key: str) -> list[str]:
    """A key in groups, for easier reading. Joined, they are the key."""
    return [key[start : start + GROUP_LENGTH] for start in range(0, len(key), GROUP_LENGTH)]


def iso(moment: datetime) -> str:
    """A moment for machines, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def utc(moment: datetime) -> str:
    """A moment for people, if no script converts it to their own zone."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def clock(moment: datetime) -> str:
    """The time of day, if the day is shown elsewhere and no script converts it to the reader's own zone."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def day_words(day: date) -> str:
    """`Friday, 27 November 2026`."""
    return f"{day:%A}, {day.day} {day:%B %Y}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("keybearer.server.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        client_name=client_name,
        clock=clock,
        code_spans=code_spans,
        counted=counted,
        day_words=day_words,
        group_words=group_words,
        grouped=grouped,
        iso=iso,
        scope_words=scope_words,
        utc=utc,
    )
    environment.globals["asset"] = load_assets().url
    return environment


async def load_templates() -> None:
    """Load all templates, one after another, soon after the server's start. Otherwise the first page of each kind
    would parse its own while all other requests of the worker wait.
    """
    await asyncio.sleep(AFTER_START)
    environment = _environment()
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)
        await asyncio.sleep(BETWEEN)


def render(template: str, values: Mapping[str, object]) -> str:
    """The text of a template with these values."""
    return _environment().get_template(template).render(values)
