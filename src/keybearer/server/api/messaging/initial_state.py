"""The initial state as Zulip's clients read it: the fields that belong to each type of events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from keybearer.server.api.messaging.default_user_settings import (
    OLD_DISPLAY_SETTINGS,
    OLD_NOTIFICATION_SETTINGS,
    USER_SETTINGS,
)
from keybearer.server.api.messaging.emoji import PATH as EMOJI_PATH
from keybearer.server.api.messaging.fixed_realm_settings import REALM_SETTINGS
from keybearer.server.api.profiles import profile
from keybearer.server.api.realms import groups_fields
from keybearer.server.domain.account_events import settings_fields
from keybearer.server.domain.accounts import Account, Role, avatar_url, display_email
from keybearer.server.domain.bot_events import bot_fields
from keybearer.server.domain.messaging.channel_events import channel_fields, followed_fields
from keybearer.server.domain.messaging.channels import (
    NOTIFICATION_SETTINGS,
    Followed,
    may_create_channels,
    may_subscribe_others,
)
from keybearer.server.domain.messaging.message_events import with_named_topics
from keybearer.server.domain.messaging.messages import ANY_MENTION, NO_TOPIC, Marked
from keybearer.server.domain.messaging.muted_users import muted_fields as muted_user_fields
from keybearer.server.domain.messaging.presence_events import presence_fields, status_fields
from keybearer.server.domain.messaging.user_topics import muted_fields as muted_topic_fields
from keybearer.server.domain.messaging.user_topics import topic_fields
from keybearer.server.domain.pacing import paced
from keybearer.server.services.messaging.initial_state import InitialState

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class Wishes:
    """Which parts of the state a client wants, and in which form. `types` is None for all."""

    types: frozenset[str] | None = None
    with_subscribers: bool = False
    slim_presence: bool = False
    empty_topics: bool = False
    notification_null: bool = False
    settings_apart: bool = False

    def wants(self, event_type: str) -> bool:
        """Whether the client wants the state that belongs to a type of events."""
        return self.types is None or event_type in self.types


async def fields(state: InitialState, wishes: Wishes) -> Fields:
    """The parts of the state that the client wants."""
    account = state.viewer
    found: Fields = await _realm_user(state, account) if wishes.wants("realm_user") else {}
    for event_type, part in _PARTS.items():
        if wishes.wants(event_type):
            found |= await part(state, account, wishes)
    for event_type, empty in NOTHING_OF_OURS.items():
        if wishes.wants(event_type):
            found |= empty
    return found


async def _message(state: InitialState, _account: Account, _wishes: Wishes) -> Fields:
    return {"max_message_id": state.newest_id}


async def _realm(state: InitialState, account: Account, _wishes: Wishes) -> Fields:
    realm = state.realm
    can_create_bots = realm.can_create_bots.includes(account.role)
    can_create_channels = may_create_channels(account)
    return {
        **REALM_SETTINGS,
        "realm_name": realm.name,
        "realm_description": realm.description,
        "realm_url": realm.site,
        "realm_uri": realm.site,
        "server_emoji_data_url": f"{realm.site}/api/v1/{EMOJI_PATH}",
        "realm_bot_domain": realm.bot_domain,
        "realm_date_created": int(realm.created_at.timestamp()),
        "realm_can_create_bots_group": realm.can_create_bots.value,
        "realm_can_create_write_only_bots_group": realm.can_create_write_only_bots.value,
        "realm_can_invite_users_group": realm.can_invite.value,
        "can_create_bots": can_create_bots,
        "can_create_streams": can_create_channels,
        "can_create_public_streams": can_create_channels,
        "can_create_private_streams": can_create_channels,
        "can_create_web_public_streams": False,
        "can_subscribe_other_users": may_subscribe_others(account),
        "can_invite_others_to_realm": realm.can_invite.includes(account.role),
    }


async def _realm_user(state: InitialState, account: Account) -> Fields:
    rows = await paced(lambda each: (each, _person(each, account, state)), state.everybody)
    return {
        "realm_users": [row for each, row in rows if each.is_active],
        "realm_non_active_users": [row for each, row in rows if not each.is_active],
        "cross_realm_bots": [],
        "user_id": account.id,
        "email": display_email(account, state.realm.bot_domain),
        "delivery_email": account.delivery_email,
        "full_name": account.full_name,
        "avatar_source": "G",
        "avatar_url": avatar_url(account),
        "avatar_url_medium": avatar_url(account),
        "is_admin": account.is_administrator,
        "is_owner": account.is_owner,
        "is_moderator": account.role is Role.MODERATOR,
        "is_guest": account.role is Role.GUEST,
        "is_billing_admin": False,
        "user_role": account.role.value,
        "has_zoom_token": False,
        "has_webex_token": False,
    }


def _person(each: Account, viewer: Account, state: InitialState) -> Fields:
    row = profile(each, viewer, state.realm)
    return row if each.is_bot else {**row, "profile_data": {}}


async def _realm_bot(state: InitialState, _account: Account, _wishes: Wishes) -> Fields:
    def row(each: Account) -> Fields:
        return {**bot_fields(each, state.services.get(each.id)), "is_active": each.is_active}

    return {"realm_bots": await paced(row, state.managed_bots)}


async def _subscription(state: InitialState, account: Account, wishes: Wishes) -> Fields:
    def row(each: Followed) -> Fields:
        found = followed_fields(each, with_subscribers=wishes.with_subscribers)
        return found if wishes.notification_null else _without_null(found)

    return {
        "subscriptions": await paced(row, (each for each in state.channels if each.subscription is not None)),
        "unsubscribed": [],
        "never_subscribed": await paced(row, (each for each in state.channels if each.subscription is None)),
    }


def _without_null(row: Fields) -> Fields:
    """For clients that do not support null: the account's setting is used instead."""
    defaults = {name: USER_SETTINGS[f"enable_stream_{name}"] for name in NOTIFICATION_SETTINGS[:4]}
    return row | {name: value for name, value in defaults.items() if name in row and row[name] is None}


async def _stream(state: InitialState, _account: Account, _wishes: Wishes) -> Fields:
    def row(each: Followed) -> Fields:
        return {**channel_fields(each.channel), "subscriber_count": each.subscriber_count}

    return {"streams": await paced(row, state.channels)}


async def _default_streams(state: InitialState, _account: Account, _wishes: Wishes) -> Fields:
    return {"realm_default_streams": [each.channel.id for each in state.channels if each.channel.is_default]}


async def _user_groups(state: InitialState, _account: Account, _wishes: Wishes) -> Fields:
    return {"realm_user_groups": groups_fields(state.everybody, state.realm)}


async def _starred(state: InitialState, _account: Account, _wishes: Wishes) -> Fields:
    return {"starred_messages": list(state.starred_ids)}


async def _unread(state: InitialState, account: Account, wishes: Wishes) -> Fields:
    streams: dict[tuple[int, str], list[int]] = {}
    people: dict[int, tuple[tuple[int, ...], list[int]]] = {}
    mentions: list[int] = []

    def note(message: Marked) -> None:
        if message.flags & ANY_MENTION:
            mentions.append(message.id)
        if message.channel_id is not None:
            topic = message.topic or ("" if wishes.empty_topics else NO_TOPIC)
            streams.setdefault((message.channel_id, topic), []).append(message.id)
        else:  # messages of one conversation have the same tuple, which may be too long to compare
            people.setdefault(id(message.recipient_ids), (message.recipient_ids, []))[1].append(message.id)

    await paced(note, state.unread)
    groups = await paced(
        lambda each: {"user_ids_string": ",".join(map(str, each[0])), "unread_message_ids": each[1]},
        [each for each in people.values() if len(each[0]) > 2],
    )
    return {
        "unread_msgs": {
            "count": state.unread_count,
            "pms": [_unread_with(ids, account, found) for ids, found in people.values() if len(ids) <= 2],
            "streams": [
                {"stream_id": channel_id, "topic": topic, "unread_message_ids": found}
                for (channel_id, topic), found in streams.items()
            ],
            "huddles": groups,
            "mentions": mentions,
            "old_unreads_missing": state.misses_old_unread,
        }
    }


def _unread_with(ids: tuple[int, ...], account: Account, found: list[int]) -> Fields:
    other = next((each for each in ids if each != account.id), account.id)
    return {"other_user_id": other, "sender_id": other, "unread_message_ids": found}


async def _presence(state: InitialState, _account: Account, wishes: Wishes) -> Fields:
    return {
        "presences": await presence_fields(state.present, state.realm.bot_domain, slim=wishes.slim_presence),
        "presence_last_update_id": -1,
        "server_timestamp": datetime.now().timestamp(),  # noqa: DTZ005  a count of seconds has no zone
    }


async def _user_status(state: InitialState, _account: Account, _wishes: Wishes) -> Fields:
    found = await paced(lambda each: (str(each.account_id), status_fields(each)), state.statuses)
    return {"user_status": dict(found)}


async def _user_settings(_state: InitialState, account: Account, _wishes: Wishes) -> Fields:
    return {"user_settings": {**USER_SETTINGS, **settings_fields(account)}}


async def _display_settings(_state: InitialState, account: Account, wishes: Wishes) -> Fields:
    own = {**USER_SETTINGS, **settings_fields(account)}
    return {} if wishes.settings_apart else {name: own[name] for name in OLD_DISPLAY_SETTINGS}


async def _notification_settings(_state: InitialState, account: Account, wishes: Wishes) -> Fields:
    own = {**USER_SETTINGS, **settings_fields(account)}
    return {} if wishes.settings_apart else {name: own[name] for name in OLD_NOTIFICATION_SETTINGS}


async def _alert_words(state: InitialState, _account: Account, _wishes: Wishes) -> Fields:
    return {"alert_words": state.alert_words}


async def _user_topics(state: InitialState, _account: Account, wishes: Wishes) -> Fields:
    chosen = [topic_fields(each) for each, _ in state.user_topics]
    return {"user_topics": chosen if wishes.empty_topics else [with_named_topics(each) for each in chosen]}


async def _muted_topics(state: InitialState, _account: Account, wishes: Wishes) -> Fields:
    muted: Fields = {"muted_topics": muted_topic_fields(state.user_topics)}
    return muted if wishes.empty_topics else with_named_topics(muted)


async def _muted_users(state: InitialState, _account: Account, _wishes: Wishes) -> Fields:
    return {"muted_users": muted_user_fields(state.muted_users)}


_PARTS: Mapping[str, Callable[[InitialState, Account, Wishes], Awaitable[Fields]]] = {
    "message": _message,
    "realm": _realm,
    "realm_bot": _realm_bot,
    "subscription": _subscription,
    "stream": _stream,
    "default_streams": _default_streams,
    "realm_user_groups": _user_groups,
    "starred_messages": _starred,
    "update_message_flags": _unread,
    "presence": _presence,
    "user_status": _user_status,
    "user_settings": _user_settings,
    "update_display_settings": _display_settings,
    "update_global_notifications": _notification_settings,
    "alert_words": _alert_words,
    "user_topic": _user_topics,
    "muted_topics": _muted_topics,
    "muted_users": _muted_users,
}

NOTHING_OF_OURS: Mapping[str, Fields] = {
    "channel_folders": {"channel_folders": []},
    "custom_profile_fields": {"custom_profile_fields": [], "custom_profile_field_types": {}},
    "default_stream_groups": {"realm_default_stream_groups": []},
    "drafts": {"drafts": []},
    "navigation_views": {"navigation_views": []},
    "onboarding_steps": {"onboarding_steps": []},
    "realm_domains": {"realm_domains": []},
    "realm_emoji": {"realm_emoji": {}},
    "realm_filters": {"realm_filters": []},
    "realm_linkifiers": {"realm_linkifiers": []},
    "realm_playgrounds": {"realm_playgrounds": []},
    "realm_user_settings_defaults": {"realm_user_settings_defaults": USER_SETTINGS},
    "recent_private_conversations": {"recent_private_conversations": []},
    "reminders": {"reminders": []},
    "saved_snippets": {"saved_snippets": []},
    "scheduled_messages": {"scheduled_messages": []},
    "stop_words": {"stop_words": []},
}
"""Fields for things that organizations here do not have, or that are also in another place."""
