"""Who may do what. One table for the wire, and one function per rule that looks at a particular account.

An endpoint that is not in the table is closed.
"""

from __future__ import annotations

from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.realms import Realm
from keybearer.server.domain.rules import ADMINISTRATORS, EVERYBODY, MEMBERS, OPEN, PEOPLE, WEBHOOKS_TOO, Rule, Way
from keybearer.server.domain.visibility import may_see_bot

PERMISSIONS: dict[str, Rule] = {
    "GET server_settings": OPEN,
    "POST fetch_api_key": OPEN,
    "POST dev_fetch_api_key": OPEN,
    "GET dev_list_users": OPEN,
    "POST jwt/fetch_api_key": OPEN,
    "POST json/fetch_api_key": Rule(Way.SESSION, bots=False),
    "GET users/me": EVERYBODY,
    "DELETE users/me": PEOPLE,
    "GET users": EVERYBODY,
    "GET users/{user_id}": EVERYBODY,
    "PATCH users/{user_id}": EVERYBODY,
    "DELETE users/{user_id}": EVERYBODY,
    "GET users/{email}": EVERYBODY,
    "POST users/{user_id}/reactivate": EVERYBODY,
    # Not by a session: a stolen one can neither read nor replace the key (as in Zulip, CVE-2021-3967).
    "POST users/me/api_key/regenerate": Rule(Way.KEY),
    "GET bots": MEMBERS,
    "POST bots": MEMBERS,
    "PATCH bots/{bot_id}": MEMBERS,
    "DELETE bots/{bot_id}": MEMBERS,
    "GET bots/{bot_id}/api_key": MEMBERS,
    "POST bots/{bot_id}/api_key/regenerate": MEMBERS,
    "POST users/me/apns_device_token": PEOPLE,
    "DELETE users/me/apns_device_token": PEOPLE,
    "POST users/me/android_gcm_reg_id": PEOPLE,
    "DELETE users/me/android_gcm_reg_id": PEOPLE,
    "PATCH settings": PEOPLE,
    "POST register_client_device": PEOPLE,
    "POST remove_client_device": PEOPLE,
    "PATCH realm": ADMINISTRATORS,
    "GET user_groups": EVERYBODY,
    "GET invites": MEMBERS,
    "POST invites": MEMBERS,
    "DELETE invites/{invite_id}": MEMBERS,
    "POST invites/{invite_id}/resend": MEMBERS,
    "GET openapi.json": OPEN,
    "POST messages": WEBHOOKS_TOO,
    "GET messages": EVERYBODY,
    "GET messages/{message_id}": EVERYBODY,
    "PATCH messages/{message_id}": EVERYBODY,
    "DELETE messages/{message_id}": EVERYBODY,
    "GET messages/{message_id}/history": EVERYBODY,
    "GET messages/matches_narrow": EVERYBODY,
    "POST messages/render": EVERYBODY,
    "POST messages/flags": EVERYBODY,
    "POST messages/flags/narrow": EVERYBODY,
    "POST mark_all_as_read": EVERYBODY,
    "POST mark_stream_as_read": EVERYBODY,
    "POST mark_topic_as_read": EVERYBODY,
    "POST messages/{message_id}/reactions": EVERYBODY,
    "DELETE messages/{message_id}/reactions": EVERYBODY,
    "GET streams": EVERYBODY,
    "GET get_stream_id": EVERYBODY,
    "GET streams/{stream_id}": EVERYBODY,
    "PATCH streams/{stream_id}": EVERYBODY,
    "DELETE streams/{stream_id}": EVERYBODY,
    "GET streams/{stream_id}/members": EVERYBODY,
    "GET users/me/subscriptions": EVERYBODY,
    "POST users/me/subscriptions": EVERYBODY,
    "PATCH users/me/subscriptions": EVERYBODY,
    "DELETE users/me/subscriptions": EVERYBODY,
    "POST users/me/subscriptions/properties": EVERYBODY,
    "GET users/me/{stream_id}/topics": EVERYBODY,
    "GET users/{user_id}/subscriptions/{stream_id}": EVERYBODY,
    "POST register": EVERYBODY,
    "GET events": EVERYBODY,
    "DELETE events": EVERYBODY,
    "POST users/me/presence": PEOPLE,
    "GET realm/presence": EVERYBODY,
    "GET users/{user}/presence": EVERYBODY,
    "POST users/me/status": EVERYBODY,
    "GET users/{user_id}/status": EVERYBODY,
    "POST typing": EVERYBODY,
    "POST user_uploads": EVERYBODY,
    "GET user_uploads/{realm_id}/{directory}/{filename}": EVERYBODY,
    "GET bot_storage": EVERYBODY,
    "PUT bot_storage": EVERYBODY,
    "DELETE bot_storage": EVERYBODY,
    "GET realm/emoji": EVERYBODY,
    "GET realm/linkifiers": EVERYBODY,
    "GET realm/filters": EVERYBODY,
    "GET realm/profile_fields": EVERYBODY,
    "GET users/me/alert_words": EVERYBODY,
}
"""Endpoint → rule. The name of an endpoint is its method and its path below `/api/v1` and `/json`."""


def may_manage_bot(actor: Account, bot: Account) -> bool:
    """A bot is managed by those who may see what belongs to managing it: its owner, and administrators.

    Guests manage none: who becomes one leaves their bots to the administrators.
    """
    return may_see_bot(actor, bot)


def may_create_bot(actor: Account, bot_type: int, realm: Realm) -> bool:
    """Whether the realm's policies let this account have a bot of that type (a number that may be no type of ours)."""
    if realm.can_create_bots.includes(actor.role):
        return True
    return bot_type == BotType.INCOMING_WEBHOOK and realm.can_create_write_only_bots.includes(actor.role)


def may_give_role(actor: Account, subject: Account, role: Role) -> bool:
    """Administrators give roles; making or unmaking an owner takes an owner."""
    if not actor.is_administrator:
        return False
    return actor.is_owner or Role.OWNER not in (subject.role, role)


def may_invite_as(actor: Account, role: Role, realm: Realm) -> bool:
    """Whether the realm's policy lets this account invite people, and its own role lets it invite to that one."""
    if not realm.can_invite.includes(actor.role):
        return False
    least = {Role.OWNER: Role.OWNER, Role.ADMINISTRATOR: Role.ADMINISTRATOR, Role.MODERATOR: Role.ADMINISTRATOR}
    return actor.role <= least.get(role, Role.GUEST)


def may_deactivate(actor: Account, subject: Account) -> bool:
    """People are deactivated by administrators, owners only by owners."""
    return actor.is_administrator and (actor.is_owner or not subject.is_owner)
