"""Who acts: a caller becomes an actor when the transaction or snapshot that acts reads the caller again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.errors import NotLoggedIn, Unauthenticated
from keybearer.server.domain.rules import check, check_entry, check_network, check_standing
from keybearer.server.storage import authority


async def read_actor(connection: AsyncConnection, caller: Caller, now: datetime) -> Actor:
    """The caller's account, and the key or session that was used, as they are now. Their rule is checked again.

    Raises Unauthenticated or NotPermitted, with the words of admission, if the right has ended in the meantime.
    """
    standing = await authority.find_standing(connection, caller, now)
    if standing is None or (caller.key_id is not None and standing.key is None):
        raise Unauthenticated("Invalid API key")
    by_session = caller.session_id is not None
    if by_session and standing.session is None:
        raise NotLoggedIn
    check_standing(standing.account, by_session=by_session)
    check_entry(caller.rule, standing.account, by_session=by_session)
    if standing.key is not None:
        check_network(standing.key.grant, caller.origin.address)
    check(caller.rule, standing.account)
    actor = Actor(standing.account, caller.origin, standing.key, standing.session)
    actor.check_scope(caller.rule.scope)
    if caller.rule.confirmed:
        actor.check_password_is_fresh(now)
    return actor
