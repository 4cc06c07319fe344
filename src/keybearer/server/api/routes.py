"""Every endpoint of the wire. Each module lists its own; each with its handler and its rule."""

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
"""What every server has, or says that it has not. Of two patterns that fit a path, the first counts."""


@cache
def endpoints(*, for_development: bool) -> tuple[Endpoint, ...]:
    """Every endpoint that a server has; those that ask for no password only where it runs for development."""
    listed = (*ENDPOINTS, *development.ENDPOINTS) if for_development else ENDPOINTS
    return (*listed, openapi.endpoint(listed))
