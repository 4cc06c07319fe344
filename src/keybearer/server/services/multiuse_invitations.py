"""Multi-use invitations: links that are passed on. The holder of a link requests an invitation for their address."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role, check_is_no_display_email, checked_email, email_key
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.attempts import AttemptKind
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import CapReached, Refused, check_cap
from keybearer.server.domain.grants import FULL
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.links import DEFAULT_CHANNELS, LIFETIMES, Joins, Link, LinkPurpose
from keybearer.server.domain.permissions import check_may_invite_as, check_may_invite_several_as
from keybearer.server.services import attempts, mail_texts
from keybearer.server.services.context import Context
from keybearer.server.services.invitations import (
    SEVERAL,
    TOKEN_PURPOSE,
    check_caps,
    check_lifetime,
    managed,
    send,
)
from keybearer.server.services.joining import INVALID_LINK, find, is_still_valid
from keybearer.server.services.key_endings import key_above
from keybearer.server.services.lookups import the_realm
from keybearer.server.services.messaging.channels import check_seen
from keybearer.server.storage import accounts, links
from keybearer.server.storage.dialect import take_turn


async def create(
    context: Context,
    caller: Caller,
    *,
    role: Role = Role.MEMBER,
    lifetime: timedelta = LIFETIMES[LinkPurpose.MULTIUSE_INVITATION],
    joins: Joins = DEFAULT_CHANNELS,
) -> tuple[Link, Secret]:
    """Create an invitation that several people can use, for administrators. Returns it with its token.

    Raises Refused, NotPermitted for the roles of owners and administrators, BeyondGrant like `invitations.invite`.
    """
    check_lifetime(lifetime)
    async with context.change(caller) as change:
        actor, connection = change.actor.account, change.connection
        change.check_covers(FULL)
        realm = await the_realm(connection)
        check_may_invite_several_as(actor, role)
        check_may_invite_as(actor, role, realm)
        await check_seen(connection, actor, joins.channel_ids)
        await take_turn(connection, "multi-use invitations")
        open_already = await links.count(connection, LinkPurpose.MULTIUSE_INVITATION, now=change.now)
        check_cap(Cap.MULTIUSE_INVITATIONS, open_already + 1)
        link = await links.add(
            connection,
            Secret(secrets.token_urlsafe(32)),
            LinkPurpose.MULTIUSE_INVITATION,
            at=change.now,
            realm_id=realm.id,
            role=role,
            created_by=actor.id,
            lifetime=lifetime,
            joins=joins,
            created_with=await key_above(change),
        )
        # Derived from the row's own id, so that it need not be stored: people who manage the invitation can see it
        # again.
        token = links.token_of(link, context.ring.derive_all(TOKEN_PURPOSE)[0])
        await links.set_token(connection, link.id, token)
        details = {"email": SEVERAL, "role": role.label}
        await change.record(AuditEvent.INVITATION_CREATED, realm=realm, details=details)
        return link, token


async def change(
    context: Context,
    caller: Caller,
    invitation_id: int,
    *,
    role: Role | None = None,
    channel_ids: Sequence[int] | None = None,
    with_defaults: bool | None = None,
) -> None:
    """Change the role and channels of people who join by a multi-use invitation from now on. None leaves one as it is.

    Invitations that were already requested with it stay as they are. Raises like `create`, and Refused with `No such
    invitation`.
    """
    async with context.change(caller) as change:
        actor, connection = change.actor.account, change.connection
        change.check_covers(FULL)
        realm = await the_realm(connection)
        link = await managed(change, invitation_id, [LinkPurpose.MULTIUSE_INVITATION])
        new_role = role or link.role or Role.MEMBER
        check_may_invite_several_as(actor, new_role)
        check_may_invite_as(actor, new_role, realm)
        if channel_ids is not None:
            await check_seen(connection, actor, channel_ids)
        joins = Joins(
            link.joins.channel_ids if channel_ids is None else tuple(channel_ids),
            link.joins.with_defaults if with_defaults is None else with_defaults,
        )
        await links.change(connection, link, role=new_role, joins=joins)
        await change.record(AuditEvent.INVITATION_CHANGED, details={"email": SEVERAL, "role": new_role.label})


async def request_invitation(context: Context, token: Secret, email: str, origin: RequestOrigin) -> None:
    """Mail an invitation to somebody who has the link of a multi-use one and enters an address.

    The answer does not show whether the address has an account; in that case the mail says so. Raises Refused for a
    link that is no longer valid and for an invalid address, TooManyAttempts for too many requests.
    """
    email = checked_email(email)
    known = await find(context, token)
    holding = [] if known is None or known.created_by is None else [known.created_by]
    async with context.change(None, origin=origin, holding=holding) as change:
        await attempts.count(change, AttemptKind.JOININGS_OF_ADDRESS, "", context.metrics)
        await attempts.count(change, AttemptKind.JOINING, email_key(email), context.metrics)
        realm = await the_realm(change.connection)
        link = await links.find(change.connection, token, LinkPurpose.MULTIUSE_INVITATION, change.now)
        if link is None or not await is_still_valid(change.connection, link, realm):
            raise Refused(INVALID_LINK)
        check_is_no_display_email(email, realm.bot_domain)
        inviter = await accounts.find(change.connection, link.created_by or 0)
        try:
            # Before the address is looked up, so that the result does not depend on whether it has an account.
            await check_caps(change, link.created_by or 0, [email])
        except CapReached:
            raise Refused("Too many invitations are open at the moment. Try again later.") from None
        if await accounts.find_by_email(change.connection, realm.id, email) is not None or inviter is None:
            await change.send(mail_texts.already_joined(realm, email))
            return
        lifetime = min(LIFETIMES[LinkPurpose.INVITATION], link.expires_at - change.now)
        await send(
            change,
            realm,
            inviter,
            [email],
            role=link.role or Role.MEMBER,
            lifetime=lifetime,
            joins=link.joins,
            made_by_link=link.id,
            created_with=link.created_with,
        )
