"""The endpoints of channels, messages and events. Of two patterns that fit a path, the first counts."""

from __future__ import annotations

from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging import (
    bot_storage,
    channels,
    events,
    flags,
    messages,
    organization,
    presences,
    reactions,
    sending,
    subscriptions,
    uploads,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *sending.ENDPOINTS,
    *messages.ENDPOINTS,
    *flags.ENDPOINTS,
    *reactions.ENDPOINTS,
    *channels.ENDPOINTS,
    *subscriptions.ENDPOINTS,
    *events.ENDPOINTS,
    *uploads.ENDPOINTS,
    *presences.ENDPOINTS,
    *bot_storage.ENDPOINTS,
    *organization.ENDPOINTS,
)
