"""Joining: what the links of invitations open, and the account that somebody creates with one."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role, checked_full_name, email_key
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.links import INVITATIONS, Link, LinkPurpose
from keybearer.server.domain.permissions import may_invite_as, may_invite_several_as
from keybearer.server.domain.realms import Realm
from keybearer.server.services import accounts as people
from keybearer.server.services import passwords
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import NAMES_AND_ADDRESSES, the_realm
from keybearer.server.services.sessions import SignedIn, open_session
from keybearer.server.storage import accounts, links
from keybearer.server.storage.dialect import take_turn

INVALID_LINK = "This invitation has been used or withdrawn, or has expired: ask for a new one."


async def find(context: Context, token: Secret) -> Link | None:
    """The invitation with a link's token, for one or for several people. None if it opens nothing.

    That is an invitation that is used, withdrawn or expired, or whose sender may no longer invite people as its role.
    """
    async with context.reading() as connection:
        found = [await links.find(connection, token, purpose, context.clock()) for purpose in INVITATIONS]
        link = next((link for link in found if link is not None), None)
        return (
            link if link is not None and await is_still_valid(connection, link, await the_realm(connection)) else None
        )


async def accept(
    context: Context, token: Secret, *, full_name: str, password: Secret, origin: RequestOrigin
) -> SignedIn:
    """Join by an invitation: create the account with a first key, sign it in, and use up the link.

    Raises Refused for a link that is no longer valid, also because its sender may no longer invite people as that role.
    """
    known = await find(context, token)
    if known is None:
        raise Refused(INVALID_LINK)
    full_name = checked_full_name(full_name)
    await asyncio.to_thread(passwords.check_strength, password, known=(known.email, full_name))
    hashed = await context.hasher.hash(password)
    async with context.change(None, origin=origin, holding=[known.created_by or 0]) as change:
        realm = await the_realm(change.connection)
        # Before the link is used: two people who join at one address by two links would otherwise wait for each
        # other's.
        await take_turn(change.connection, NAMES_AND_ADDRESSES)
        link = await links.use(change.connection, token, LinkPurpose.INVITATION, change.now)
        if link is None or not await is_still_valid(change.connection, link, realm):
            raise Refused(INVALID_LINK)
        account = await people.add(
            change,
            email=link.email,
            full_name=full_name,
            role=link.role or Role.MEMBER,
            password_hash=hashed,
            invited_by=link.created_by,
            joins=link.joins,
            created_with=link.created_with,
        )
        await links.remove_all_for(
            change.connection, LinkPurpose.INVITATION, realm_id=realm.id, email=email_key(link.email)
        )
        return await open_session(change.by(account), account)


async def is_still_valid(connection: AsyncConnection, link: Link, realm: Realm) -> bool:
    """Whether the creator of an invitation may still invite people as its role."""
    inviter = await accounts.find(connection, link.created_by) if link.created_by is not None else None
    role = link.role or Role.MEMBER
    if inviter is None or not inviter.is_active or not may_invite_as(inviter, role, realm):
        return False
    is_for_several = link.purpose is LinkPurpose.MULTIUSE_INVITATION or link.made_by_link is not None
    return may_invite_several_as(inviter, role) if is_for_several else True
