"""`invites`: the people who are invited, and who invited them."""

from __future__ import annotations

from datetime import timedelta

from keybearer.secret import Secret
from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import (
    BOOLEAN,
    EMAIL,
    INTEGER,
    STRING,
    array,
    boolean,
    choice,
    encoded,
    nullable,
    record,
    text,
)
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.links import LIFETIMES, Joins, Link, LinkPurpose
from keybearer.server.domain.rules import MEMBERS
from keybearer.server.http.body import FORM
from keybearer.server.services import invitation_lists, invitations, multiuse_invitations


async def list_open(call: Call) -> Answer:
    """`GET invites`: all open invitations for administrators, their own for others."""
    found = await invitation_lists.find_all_with_tokens(call.context, call.caller)
    return success(invites=[_row(link, call.realm.site, token) for link, token in found])


def _row(link: Link, site: str, token: Secret | None) -> dict[str, object]:
    return {
        "id": link.id,
        "invited_by_user_id": link.created_by,
        "invited": int(link.created_at.timestamp()),
        "expiry_date": int(link.expires_at.timestamp()),
        "invited_as": (link.role or Role.MEMBER).value,
        **({"email": link.email} if link.email else {}),
        **({"link_url": _url(site, token)} if token else {}),
        "notify_referrer_on_join": False,
        "is_multiuse": link.purpose is LinkPurpose.MULTIUSE_INVITATION,
    }


def _url(site: str, token: Secret) -> str:
    return f"{site}/join/{token.reveal()}/"


async def send(call: Call) -> Answer:
    """`POST invites`."""
    parameters = call.parameters
    emails = invitations.split_emails(parameters.text("invitee_emails"))
    lifetime, role, joins = _lifetime(call), _role(call), _joins(call)
    await invitations.invite(call.context, call.caller, emails, role=role, lifetime=lifetime, joins=joins)
    return success()


async def make_link(call: Call) -> Answer:
    """`POST invites/multiuse`."""
    lifetime, role, joins = _lifetime(call), _role(call), _joins(call)
    _, token = await multiuse_invitations.create(call.context, call.caller, role=role, lifetime=lifetime, joins=joins)
    return success(invite_link=_url(call.realm.site, token))


async def change_link(call: Call) -> Answer:
    """`PATCH invites/multiuse/{invite_id}`: parameters that are not sent stay the same."""
    role, (channel_ids, with_defaults) = _optional_role(call), _wanted_channels(call)
    await multiuse_invitations.change(
        call.context,
        call.caller,
        call.id("invite_id"),
        role=role,
        channel_ids=channel_ids,
        with_defaults=with_defaults,
    )
    return success()


def _role(call: Call) -> Role:
    return _optional_role(call) or Role.MEMBER


def _optional_role(call: Call) -> Role | None:
    value = call.parameters.choice("invite_as", tuple(role.value for role in Role))
    return None if value is None else Role(value)


def _joins(call: Call) -> Joins:
    """The channels to follow. Without a list, these are the default channels."""
    channel_ids, with_defaults = _wanted_channels(call)
    if with_defaults is None:
        with_defaults = channel_ids is None
    return Joins(tuple(channel_ids or ()), with_defaults)


def _wanted_channels(call: Call) -> tuple[list[int] | None, bool | None]:
    parameters = call.parameters
    with_defaults = parameters.optional_boolean("include_realm_default_subscriptions")
    channel_ids = parameters.optional_integers("stream_ids", most=Cap.INVITED_TO.most)
    if parameters.optional_integers("group_ids"):
        raise Refused("Invalid user group")
    return None if channel_ids is None else list(dict.fromkeys(channel_ids)), with_defaults


def _lifetime(call: Call) -> timedelta:
    """How long the links work. Zulip's null, for ever, means the longest time that links here can work."""
    name = "invite_expires_in_minutes"
    if call.parameters.optional_text(name) == "null":
        return invitations.LONGEST_LIFETIME
    minutes = call.parameters.optional_integer(name)
    return LIFETIMES[LinkPurpose.INVITATION] if minutes is None else timedelta(minutes=minutes)


async def revoke(call: Call) -> Answer:
    """`DELETE invites/{invite_id}`."""
    await invitations.revoke(call.context, call.caller, call.id("invite_id"), [LinkPurpose.INVITATION])
    return success()


async def revoke_link(call: Call) -> Answer:
    """`DELETE invites/multiuse/{invite_id}`."""
    await invitations.revoke(call.context, call.caller, call.id("invite_id"), [LinkPurpose.MULTIUSE_INVITATION])
    return success()


async def resend(call: Call) -> Answer:
    """`POST invites/{invite_id}/resend`."""
    await invitations.resend(call.context, call.caller, call.id("invite_id"))
    return success()


_INVITATION = record(
    {
        "id": INTEGER,
        "invited_by_user_id": nullable(INTEGER),
        "invited": INTEGER,
        "expiry_date": INTEGER,
        "invited_as": INTEGER,
        "email": EMAIL,
        "link_url": STRING,
        "notify_referrer_on_join": BOOLEAN,
        "is_multiuse": BOOLEAN,
    },
    optional=frozenset({"email", "link_url"}),
)

_LIFETIME = encoded("invite_expires_in_minutes", "How long the link works; null is a year.", nullable(INTEGER))
_TAKES = (
    choice("invite_as", "The role that people get.", tuple(role.value for role in Role)),
    encoded(
        "stream_ids",
        "The channels that the person follows. Without it, the default channels.",
        array(INTEGER),
        most=Cap.INVITED_TO.most,
    ),
    boolean("include_realm_default_subscriptions", "Whether the person follows the default channels too."),
    encoded("group_ids", "Groups to join: organizations here have none.", array(INTEGER)),
)

ENDPOINTS = (
    Endpoint.get(
        "invites", list_open, MEMBERS.may(Scope.KEYS), "The open invitations.", gives={"invites": array(_INVITATION)}
    ),
    Endpoint.post(
        "invites",
        send,
        MEMBERS.may(Scope.KEYS),
        FORM,
        "Invite people by mail.",
        takes=(
            text(
                "invitee_emails",
                "Addresses, separated by commas or line ends.",
                required=True,
                most=Cap.INVITED.most,
            ),
            _LIFETIME,
            *_TAKES,
        ),
    ),
    Endpoint.post(
        "invites/multiuse",
        make_link,
        MEMBERS.may(Scope.KEYS),
        FORM,
        "Create a link with which several people can join.",
        takes=(_LIFETIME, *_TAKES),
        gives={"invite_link": STRING},
    ),
    Endpoint.patch(
        "invites/multiuse/{invite_id}",
        change_link,
        MEMBERS.may(Scope.KEYS),
        FORM,
        "Change the role and channels of a link for several people. Parameters that are not sent stay the same.",
        takes=_TAKES,
    ),
    Endpoint.delete(
        "invites/multiuse/{invite_id}",
        revoke_link,
        MEMBERS.may(Scope.KEYS),
        FORM,
        "Withdraw a link for several people.",
    ),
    Endpoint.delete("invites/{invite_id}", revoke, MEMBERS.may(Scope.KEYS), FORM, "Withdraw an invitation."),
    Endpoint.post(
        "invites/{invite_id}/resend", resend, MEMBERS.may(Scope.KEYS), FORM, "Mail a new link; the earlier one ends."
    ),
)
