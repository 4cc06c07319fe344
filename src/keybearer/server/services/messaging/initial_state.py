"""What a client gets when it registers a queue: the whole state at that moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.bots import RevealedService
from keybearer.server.domain.messaging.channels import Followed, name_key
from keybearer.server.domain.messaging.messages import Marked
from keybearer.server.domain.messaging.muted_users import MutedUser
from keybearer.server.domain.messaging.presences import Present, Status
from keybearer.server.domain.messaging.user_topics import TopicPolicy, UserTopic, is_muted
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.realms import Realm
from keybearer.server.services.context import Context, View
from keybearer.server.services.lookups import the_realm
from keybearer.server.services.messaging.channels import survey
from keybearer.server.services.messaging.presences import HISTORY
from keybearer.server.storage import accounts, bots, event_log, visibility
from keybearer.server.storage.messaging import (
    alert_words,
    marked_messages,
    muted_users,
    newest_messages,
    presences,
    user_topics,
)
from keybearer.server.storage.messaging.channels import find_muted_ids
from keybearer.server.storage.messaging.marked_messages import NONE_UNREAD


@dataclass(frozen=True, slots=True)
class InitialState:
    """The state after the event `event_id`. Parts that the client does not want are empty.

    `unread` holds the messages that it has not read, or only the newest of them (`misses_old_unread`), and
    `unread_count` how many of these are not in a muted topic or channel. `channels` holds every channel that it may
    see.
    """

    event_id: int
    realm: Realm
    viewer: Account
    everybody: Sequence[Account] = ()
    managed_bots: Sequence[Account] = ()
    services: Mapping[int, RevealedService] = field(default_factory=dict)
    channels: Sequence[Followed] = ()
    unread: Sequence[Marked] = ()
    misses_old_unread: bool = False
    unread_count: int = 0
    starred_ids: Sequence[int] = ()
    newest_id: int = -1
    present: Sequence[Present] = ()
    statuses: Sequence[Status] = ()
    alert_words: Sequence[str] = ()
    user_topics: Sequence[tuple[UserTopic, str]] = ()
    muted_users: Sequence[MutedUser] = ()


async def gather(
    context: Context,
    caller: Caller,
    wants: Callable[[str], bool],
    *,
    presence_history: timedelta = HISTORY,
    with_subscribers: bool = False,
) -> InitialState:
    """The state as the actor may see it. `wants` says for an event type whether the client asks for its part, and
    `with_subscribers` whether it asks who follows each channel.
    """
    async with context.viewing(caller) as view:
        connection, account = view.connection, view.actor.account
        # One snapshot of the database: what follows includes every event up to `event_id`, and none after it.
        event_id = await event_log.last_id(connection)
        wants_people = wants("realm_user") or wants("realm_user_groups") or wants("presence")
        everybody = await accounts.find_all(connection, account.realm_id) if wants_people else ()
        people = {each.id: each for each in everybody}
        found = await presences.find_all(connection, view.now - presence_history) if wants("presence") else ()
        starred_ids = await marked_messages.find_starred_ids(connection, account) if wants("starred_messages") else ()
        wants_channels = wants("subscription") or wants("stream") or wants("default_streams")
        wants_unread = wants("update_message_flags")
        unread = await marked_messages.find_unread(connection, account) if wants_unread else NONE_UNREAD
        wants_topics = wants_unread or wants("user_topic") or wants("muted_topics")
        topics = await user_topics.find_seen(connection, account) if wants_topics else ()
        managed = await visibility.find_bots(connection, account) if wants("realm_bot") else ()
        return InitialState(
            event_id=event_id,
            realm=await the_realm(connection),
            viewer=account,
            everybody=everybody,
            managed_bots=managed,
            services=await _services(context, view, [bot.id for bot in managed]) if managed else {},
            channels=await survey(connection, account, with_subscribers=with_subscribers) if wants_channels else (),
            unread=unread.found,
            misses_old_unread=unread.is_cut,
            unread_count=await _count_unmuted(connection, account, unread.found, topics) if wants_unread else 0,
            starred_ids=starred_ids,
            newest_id=await newest_messages.find(connection, account.id),
            present=[
                (each, people[each.account_id])
                for each in found
                if people[each.account_id].is_active and not people[each.account_id].is_bot
            ],
            statuses=await presences.find_statuses(connection) if wants("user_status") else (),
            alert_words=await alert_words.find_all(connection, account.id) if wants("alert_words") else (),
            user_topics=topics,
            muted_users=await muted_users.find_all(connection, account.id) if wants("muted_users") else (),
        )


async def _services(context: Context, view: View, bot_ids: Sequence[int]) -> Mapping[int, RevealedService]:
    """What these bots call. Tokens are credentials: a key without the scope `KEYS` gets empty ones."""
    services = await bots.reveal_services(view.connection, context.ring, bot_ids)
    if view.actor.may_see_credentials(view.now):
        return services
    return {bot_id: service.without_token() for bot_id, service in services.items()}


async def _count_unmuted(
    connection: AsyncConnection,
    account: Account,
    unread: Sequence[Marked],
    topics: Sequence[tuple[UserTopic, str]],
) -> int:
    policies = {(each.channel_id, name_key(each.topic)): each.policy for each, _ in topics}
    muted = await find_muted_ids(connection, account.id)

    def counts(message: Marked) -> bool:
        if message.channel_id is None:
            return True
        policy = policies.get((message.channel_id, name_key(message.topic)), TopicPolicy.NONE)
        return not is_muted(policy, is_channel_muted=message.channel_id in muted)

    return sum(await paced(counts, unread))
