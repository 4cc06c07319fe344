"""Credentials as environment variables, for other programs."""

from __future__ import annotations

from collections.abc import Mapping

from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.fields import FIELDS, INSECURE, LOCATORS

CARRIERS = tuple(field for field in FIELDS.values() if field.variable)
"""The settings that have a variable. The token of an outgoing webhook bot has none."""

READ_BY_PROGRAMS = frozenset(
    [*(field.variable for field in CARRIERS), *(locator.variable for locator in LOCATORS)],
)
"""All variables that a program reads when it looks for credentials."""


def variables(credentials: Credentials) -> dict[str, str]:
    """The variables for these credentials. A setting that is not set has none, but `insecure` always has one, since a
    program that also reads `~/.zuliprc` must not use the value from there.
    """
    said = {field.variable: text for field in CARRIERS if (text := field.written(credentials)) is not None}
    return {INSECURE.variable: "false", **said}


def environment(credentials: Credentials, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with these credentials and no others."""
    kept = {name: value for name, value in environ.items() if name not in READ_BY_PROGRAMS}
    return {**kept, **variables(credentials)}
