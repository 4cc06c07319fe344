"""Flags: the marks on an account's copies of messages, above all whether they are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.limits import MOST_NAMED
from keybearer.server.domain.messaging import flag_events
from keybearer.server.domain.messaging.channels import invalid_channel
from keybearer.server.domain.messaging.messages import MOST_MESSAGES, Flag, checked_flag, invalid_messages
from keybearer.server.domain.messaging.narrows import Term
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.messaging.lookups import NOT_DELIVERED
from keybearer.server.services.messaging.messages import Query, find_flags
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import channels, marked_messages, messages, new_messages


@dataclass(frozen=True, slots=True)
class Marked:
    """The messages that a change of flags through a narrow covered."""

    processed: int
    updated: int
    first_id: int | None
    last_id: int | None
    found_oldest: bool
    found_newest: bool


def _checked(op: str, flag: str) -> Flag:
    checked = checked_flag(flag)
    if op not in ("add", "remove"):
        raise Refused(f"Invalid message flag operation: '{op}'")
    return checked


async def mark(context: Context, caller: Caller, message_ids: Sequence[int], op: str, flag: str) -> None:
    """Add a flag to messages, or remove it. Raises Refused with Zulip's words."""
    checked = _checked(op, flag)
    if len(message_ids) > MOST_MESSAGES:
        raise invalid_messages()
    async with context.change(caller) as change:
        # Zulip ignores messages that do not exist, or that the account may not see.
        seen = await messages.find_seen_ids(change.connection, change.actor.account, message_ids)
        await _mark(change, change.actor, seen, op, checked)


async def _mark(change: Change, actor: Actor, message_ids: Collection[int], op: str, flag: Flag) -> list[int]:
    """Change a flag of messages that the actor sees. Returns the messages where it was different."""
    if flag is not Flag.READ:
        actor.check_scope(Scope.SEND)
    # One after another for an account: if two calls star a message of which it has no copy, only one creates the copy.
    await take_turn(change.connection, f"flags:{actor.id}")
    mine = await messages.find_flags(change.connection, actor.id, message_ids, for_change=True)
    if op == "add" and flag is not Flag.READ:
        # Messages of a channel that the account sees, but that were never sent to it: it gets copies so that it can
        # star them.
        missing = {*message_ids} - mine.keys()
        await new_messages.deliver_late(change.connection, actor.id, missing, NOT_DELIVERED)
        mine |= dict.fromkeys(missing, NOT_DELIVERED)
    is_added = op == "add"
    changed = [message_id for message_id, flags in mine.items() if (flag in flags) is not is_added]
    if changed:
        added, removed = (flag, messages.NO_FLAGS) if is_added else (messages.NO_FLAGS, flag)
        await messages.change_flags(change.connection, [actor.id], changed, added=added, removed=removed)
        unread = op == "remove" and flag is Flag.READ
        of_changed = {each: mine[each] for each in changed}
        details = await marked_messages.find_marked(change.connection, of_changed) if unread else ()
        if sum(len(each.recipient_ids) for each in details) > MOST_NAMED:
            raise Refused("These messages are to too many people. Mark fewer of them as unread at once.")
        change.tell(flag_events.changed(actor.id, op, flag, sorted(changed), details))
    return changed


async def mark_narrow(context: Context, caller: Caller, query: Query, op: str, flag: str) -> Marked:
    """Change a flag of the messages that a query finds."""
    checked = _checked(op, flag)
    around = await find_flags(context, caller, query)
    found = around.messages
    ids = [each.id for each in found if each.flags is not None and Flag.HISTORICAL not in each.flags]
    async with context.change(caller) as change:
        seen = await messages.find_seen_ids(change.connection, change.actor.account, ids)
        changed = await _mark(change, change.actor, seen, op, checked)
    _, found_oldest, found_newest = around.found
    return Marked(
        processed=len(found),
        updated=len(changed),
        first_id=found[0].id if found else None,
        last_id=found[-1].id if found else None,
        found_oldest=found_oldest,
        found_newest=found_newest,
    )


async def mark_all_read(context: Context, caller: Caller, terms: Sequence[Term] = ()) -> None:
    """Mark all messages in a narrow as read."""
    unread = (*terms, Term("is", "unread"))
    while True:
        query = Query(anchor="oldest", num_after=MOST_MESSAGES, narrow=unread)
        marked = await mark_narrow(context, caller, query, "add", "read")
        if marked.updated == 0 or marked.found_newest:
            return


async def mark_channel_read(context: Context, caller: Caller, channel_id: int, *, topic: str | None = None) -> None:
    """Mark a channel, or one topic in it, as read. Raises Refused for a channel that the actor may not see."""
    async with context.viewing(caller) as view:
        if await channels.find_seen(view.connection, view.actor.account, channel_id) is None:
            raise invalid_channel()
    narrow = (Term("channel", channel_id), *(() if topic is None else (Term("topic", topic),)))
    await mark_all_read(context, caller, narrow)
