"""The lists of an organization that are always empty here."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import array
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.rules import EVERYBODY


async def get_linkifiers(_call: Call) -> Answer:
    """`GET realm/linkifiers`."""
    return success(linkifiers=[])


async def get_filters(_call: Call) -> Answer:
    """`GET realm/filters`: the linkifiers in their old form."""
    return success(filters=[])


async def get_profile_fields(_call: Call) -> Answer:
    """`GET realm/profile_fields`."""
    return success(custom_fields=[])


ENDPOINTS = (
    Endpoint.get(
        "realm/linkifiers",
        get_linkifiers,
        EVERYBODY.may(Scope.READ),
        "The organization's linkifiers: always none.",
        gives={"linkifiers": array({})},
    ),
    Endpoint.get(
        "realm/filters",
        get_filters,
        EVERYBODY.may(Scope.READ),
        "The organization's linkifiers in their old form: always none.",
        gives={"filters": array({})},
    ),
    Endpoint.get(
        "realm/profile_fields",
        get_profile_fields,
        EVERYBODY.may(Scope.READ),
        "The organization's own profile fields: always none.",
        gives={"custom_fields": array({})},
    ),
)
