"""Set-up: create the first organization and its owner, by a one-time link in the browser or from the command line."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, Role, check_is_no_display_email, checked_email, checked_full_name
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.services import api_keys, passwords
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.messaging import channels
from keybearer.server.services.realms import checked_name, checked_site
from keybearer.server.services.sessions import SignedIn, open_session
from keybearer.server.storage import accounts, links, realms
from keybearer.server.storage.dialect import take_turn


async def create_setup_link(context: Context) -> Secret | None:
    """The token of a new set-up link. Earlier ones stop working. None if set-up is done."""
    async with context.change(None) as change:
        if await realms.find(change.connection) is not None:
            return None
        await links.remove_all(change.connection, LinkPurpose.SETUP)
        token = Secret(secrets.token_urlsafe(32))
        await links.add(change.connection, token, LinkPurpose.SETUP, at=change.now)
        return token


async def is_setup_link(context: Context, token: Secret) -> bool:
    """Whether set-up is not done yet and this token allows it."""
    async with context.reading() as connection:
        if await realms.find(connection) is not None:
            return False
        return await links.find(connection, token, LinkPurpose.SETUP, context.clock()) is not None


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """What set-up creates, after checking: an organization and its owner."""

    name: str
    site: str
    email: str
    full_name: str
    password: Secret

    @classmethod
    def checked(cls, *, name: str, site: str, email: str, full_name: str, password: Secret) -> NewOrganization:
        """The values in their normal form.

        Raises Refused, and ResolutionError (kind `bad_url`) for a site that is not a URL.
        """
        new = cls(checked_name(name), checked_site(site), checked_email(email), checked_full_name(full_name), password)
        passwords.check_strength(password, known=(new.name, new.email, new.full_name))
        return new


async def create_organization(
    context: Context,
    *,
    token: Secret,
    name: str,
    site: str,
    email: str,
    full_name: str,
    password: Secret,
    origin: RequestOrigin,
) -> SignedIn:
    """Create the organization and its owner, who is signed in, with the token of a set-up link.

    Raises Refused for an invalid or second set-up or an invalid link, and ResolutionError (kind `bad_url`) for a site
    that is not a URL.
    """
    new = await asyncio.to_thread(
        NewOrganization.checked, name=name, site=site, email=email, full_name=full_name, password=password
    )
    hashed = await context.hasher.hash(password)
    async with context.change(None, origin=origin) as change:
        await _check_not_done(change)
        await _use_link(change, token)
        owner = await _create(change, new, hashed)
        return await open_session(change.by(owner), owner)


async def create_organization_by_operator(context: Context, new: NewOrganization) -> Account:
    """Create the organization and its owner from the server's own command line. Raises Refused for a second set-up."""
    hashed = await context.hasher.hash(new.password)
    async with context.change(None) as change:
        await _check_not_done(change)
        return await _create(change, new, hashed)


async def _create(change: Change, new: NewOrganization, password_hash: str) -> Account:
    realm = await realms.add(change.connection, name=new.name, site=new.site, created_at=change.now)
    check_is_no_display_email(new.email, realm.bot_domain)
    owner = await accounts.add(
        change.connection,
        realm_id=realm.id,
        email=new.email,
        full_name=new.full_name,
        role=Role.OWNER,
        date_joined=change.now,
        password_hash=password_hash,
    )
    await change.record(AuditEvent.REALM_CREATED, realm=realm, details={"name": new.name, "site": new.site})
    await change.record(AuditEvent.ACCOUNT_CREATED, owner, details={"role": Role.OWNER.label})
    change.tell_added(owner)
    await api_keys.issue(change, owner)
    await change.record(AuditEvent.API_KEY_ISSUED, owner)
    await channels.create_default(change, owner)
    return owner


async def _check_not_done(change: Change) -> None:
    await take_turn(change.connection, "setup")
    if await realms.find(change.connection) is not None:
        raise Refused("This server already has its organization: sign in.")


async def _use_link(change: Change, token: Secret) -> None:
    if await links.use(change.connection, token, LinkPurpose.SETUP, change.now) is None:
        raise Refused("This set-up link is no longer valid: start the server again and use the link that it prints.")
    await links.remove_all(change.connection, LinkPurpose.SETUP)
