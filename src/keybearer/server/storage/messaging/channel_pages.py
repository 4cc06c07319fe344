"""The first channels of an account, for pages that list them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.messaging.channels import Channel
from keybearer.server.storage.dialect import SelectT, has_text
from keybearer.server.storage.messaging.channels import COLUMNS, from_row
from keybearer.server.storage.messaging.tables import channels, subscriptions
from keybearer.server.storage.visibility import sees_channel

_MINE = subscriptions.alias("mine")


async def find_first(connection: AsyncConnection, viewer: Account, *, limit: int, text: str = "") -> Sequence[Channel]:
    """The channels that the viewer follows, then the others that they see, each by name, up to a limit: those with a
    text in the name. Archived ones are left out.
    """
    is_mine = and_(_MINE.c.channel_id == channels.c.id, _MINE.c.account_id == viewer.id)
    statement = _listed(select(*COLUMNS), viewer).outerjoin(_MINE, is_mine)
    if text:
        statement = statement.where(has_text(channels.c.name, text))
    ordered = statement.order_by(_MINE.c.account_id.is_(None), channels.c.name_key, channels.c.id)
    return [from_row(row) for row in await connection.execute(ordered.limit(limit))]


async def count(connection: AsyncConnection, viewer: Account) -> int:
    """How many channels there are of which `find_first` finds the first."""
    counted = await connection.execute(_listed(select(func.count()).select_from(channels), viewer))
    return counted.scalar_one()


def _listed(statement: SelectT, viewer: Account) -> SelectT:
    return statement.where(sees_channel(viewer), channels.c.is_archived.is_(False))
