"""One-time links of accounts. All are created here, whatever their purpose."""

from __future__ import annotations

import secrets
from datetime import timedelta

from keybearer.secret import Secret
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.services.change import Change
from keybearer.server.storage import links


async def make_link(
    change: Change, purpose: LinkPurpose, account_id: int | None, *, email: str = "", lifetime: timedelta | None = None
) -> Secret:
    """The token of a new link of an account, within a transaction. A token of no account opens nothing."""
    token = Secret(secrets.token_urlsafe(32))
    await links.add(
        change.connection,
        token,
        purpose,
        at=change.now,
        account_id=account_id,
        email=email,
        created_by=change.actor_id,
        lifetime=lifetime,
    )
    return token
