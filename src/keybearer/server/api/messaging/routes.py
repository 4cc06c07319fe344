"""The endpoints of channels, messages and events. Of two patterns that fit a path, the first counts."""

from __future__ import annotations

from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging import (
    bot_storage,
    channels,
    event_queues,
    fixed_settings,
    flags,
    messages,
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
    *event_queues.ENDPOINTS,
    *uploads.ENDPOINTS,
    *presences.ENDPOINTS,
    *bot_storage.ENDPOINTS,
    *fixed_settings.ENDPOINTS,
)
