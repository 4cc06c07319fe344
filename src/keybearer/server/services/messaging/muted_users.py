"""Mutes users: what they send is marked as read for the account that muted them."""

from __future__ import annotations

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused, check_cap
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.messaging.muted_users import MutedUser, changed
from keybearer.server.domain.messaging.narrows import Term
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_account
from keybearer.server.services.messaging import flags
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import muted_users


async def mute(context: Context, caller: Caller, account_id: int) -> None:
    """Mute an account, and mark what it has sent as read. Raises Refused with Zulip's words."""
    if account_id == caller.id:
        raise Refused("Cannot mute self")
    async with context.change(caller) as change:
        actor = change.actor
        muted = await the_account(change.connection, actor.account, account_id)
        await take_turn(change.connection, f"muted users:{actor.id}")
        if not await muted_users.add(change.connection, MutedUser(actor.id, muted.id, change.now)):
            raise Refused("User already muted")
        together = await muted_users.count_of_person(change.connection, actor.account.person_id)
        check_cap(Cap.MUTED_USERS_OF_PERSON, together)
        await _notify(change)
    await flags.mark_all_read(context, caller, (Term("sender", account_id),))


async def unmute(context: Context, caller: Caller, account_id: int) -> None:
    """Unmute an account. Raises Refused with Zulip's words."""
    async with context.change(caller) as change:
        actor = change.actor
        muted = await the_account(change.connection, actor.account, account_id)
        if not await muted_users.remove(change.connection, actor.id, muted.id):
            raise Refused("User is not muted")
        await _notify(change)


async def _notify(change: Change) -> None:
    muted = await muted_users.find_all(change.connection, change.actor.id)
    check_cap(Cap.MUTED_USERS, len(muted))
    change.tell(changed(change.actor.id, muted))
