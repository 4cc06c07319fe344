"""Every endpoint of the wire, with its handler. Their permissions stand in `domain/permissions.py`."""

from __future__ import annotations

from keybearer.server.api import accounts, api_keys, bots, server
from keybearer.server.api.endpoints import Endpoint, Paths

ENDPOINTS = (
    Endpoint("GET server_settings", server.get_settings, names_unsupported=False),
    Endpoint("POST fetch_api_key", api_keys.fetch),
    Endpoint("POST json/fetch_api_key", api_keys.fetch_own),
    Endpoint("GET users/me", accounts.get_own),
    Endpoint("GET users", accounts.get_all),
    Endpoint("POST users/me/api_key/regenerate", api_keys.regenerate_own),
    Endpoint("GET bots", bots.get_own),
    Endpoint("POST bots", bots.create),
    Endpoint("GET bots/{bot_id}/api_key", bots.get_key),
    Endpoint("POST bots/{bot_id}/api_key/regenerate", bots.regenerate_key),
)


def paths() -> Paths:
    """The paths of every endpoint."""
    return Paths(ENDPOINTS)
