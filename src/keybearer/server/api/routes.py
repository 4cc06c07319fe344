"""All endpoints of the wire. Each module lists its own endpoints, with their handlers and rules."""

from __future__ import annotations

from functools import cache

from keybearer.server.api import (
    accounts,
    api_keys,
    bots,
    development,
    devices,
    invitations,
    named_keys,
    openapi,
    realms,
    server,
    settings,
    unavailable,
)
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging import routes as message_routes

ENDPOINTS: tuple[Endpoint, ...] = (
    *server.ENDPOINTS,
    *api_keys.ENDPOINTS,
    *named_keys.ENDPOINTS,
    *accounts.ENDPOINTS,
    *bots.ENDPOINTS,
    *devices.ENDPOINTS,
    *settings.ENDPOINTS,
    *realms.ENDPOINTS,
    *invitations.ENDPOINTS,
    *message_routes.ENDPOINTS,
    *unavailable.ENDPOINTS,
)
"""The endpoints of every server, including those that it does not offer. If two patterns match a path, the first
counts.
"""


@cache
def endpoints(*, for_development: bool) -> tuple[Endpoint, ...]:
    """All endpoints of a server. Those that need no password exist only in development mode."""
    listed = (*ENDPOINTS, *development.ENDPOINTS) if for_development else ENDPOINTS
    return (*listed, openapi.endpoint(listed))
