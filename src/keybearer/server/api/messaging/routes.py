"""The endpoints of channels, messages and events. If two patterns match a path, the first counts."""

from __future__ import annotations

from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging import (
    alert_words,
    attachments,
    bot_storage,
    channels,
    default_channels,
    emoji,
    empty_lists,
    event_queues,
    flags,
    messages,
    muted_users,
    new_channels,
    presences,
    reactions,
    read_receipts,
    sending,
    subscriptions,
    topics,
    uploads,
    user_topics,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *sending.ENDPOINTS,
    *messages.ENDPOINTS,
    *flags.ENDPOINTS,
    *reactions.ENDPOINTS,
    *emoji.ENDPOINTS,
    *channels.ENDPOINTS,
    *new_channels.ENDPOINTS,
    *default_channels.ENDPOINTS,
    *subscriptions.ENDPOINTS,
    *event_queues.ENDPOINTS,
    *uploads.ENDPOINTS,
    *attachments.ENDPOINTS,
    *alert_words.ENDPOINTS,
    *user_topics.ENDPOINTS,
    *topics.ENDPOINTS,
    *muted_users.ENDPOINTS,
    *read_receipts.ENDPOINTS,
    *presences.ENDPOINTS,
    *bot_storage.ENDPOINTS,
    *empty_lists.ENDPOINTS,
)
