"""Invitations: sending, listing and withdrawing one-time links, with which people join in a given role."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, Role, check_is_no_display_email, checked_email, email_key
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import CapReached, NotPermitted, Refused, check_cap
from keybearer.server.domain.grants import FULL
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.links import DEFAULT_CHANNELS, INVITATIONS, LIFETIMES, Joins, Link, LinkPurpose
from keybearer.server.domain.permissions import check_may_invite_as, may_manage_invitation
from keybearer.server.domain.realms import Realm
from keybearer.server.services import mail_texts
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.key_endings import key_above
from keybearer.server.services.lookups import the_account, the_realm
from keybearer.server.services.messaging.channels import check_seen
from keybearer.server.storage import accounts, links

LONGEST_LIFETIME = timedelta(days=365)
TOKEN_PURPOSE = "multi-use invitation"  # noqa: S105  a purpose, not a password
"""The purpose for which the ring derives the key that makes the tokens of multi-use invitations."""
SEVERAL = "several people"
"""The recipients of a multi-use invitation, as the audit log names them."""

NO_INVITATION = "No such invitation"


class InvitationFailed(Refused):
    """Not everybody could be invited. `errors` says who and why; `sent` are the invitations of the others."""

    def __init__(
        self,
        message: str,
        errors: Sequence[tuple[str, str, bool]],
        *,
        sent: Sequence[tuple[Link, Secret]] = (),
        is_limit: bool = False,
    ) -> None:
        extra = {
            "errors": [list(error) for error in errors],
            "sent_invitations": bool(sent),
            "license_limit_reached": False,
            "daily_limit_reached": is_limit,
        }
        super().__init__(message, code="INVITATION_FAILED", extra=extra)
        self.sent = sent


def split_emails(text: str) -> list[str]:
    """The addresses in a list that is separated by commas or line ends. A name may stand before an address in `<>`."""
    parts = [part.strip() for part in re.split(r"[,\r\n]+", text)]
    return list(dict.fromkeys(_without_name(part) for part in parts if part))


def _without_name(part: str) -> str:
    return part.rpartition("<")[2][:-1].strip() if "<" in part and part.endswith(">") else part


async def invite(
    context: Context,
    caller: Caller,
    emails: Sequence[str],
    *,
    role: Role = Role.MEMBER,
    lifetime: timedelta = LIFETIMES[LinkPurpose.INVITATION],
    joins: Joins = DEFAULT_CHANNELS,
) -> Sequence[tuple[Link, Secret]]:
    """Mail a link to each address. Returns the invitations with their tokens.

    People who already have an account are skipped, and InvitationFailed names them. Raises Refused with Zulip's words
    for an empty list and for an invalid address; then nobody is invited. Raises BeyondGrant if the actor used a key
    that may do less than the account key that each new person gets.
    """
    if not emails:
        raise Refused("You must specify at least one email address.")
    check_cap(Cap.INVITED, len(emails))
    check_lifetime(lifetime)
    _check_addresses(emails, checked_email)
    async with context.change(caller) as change:
        actor = change.actor
        actor.check_covers(FULL)
        realm = await the_realm(change.connection)
        check_may_invite_as(actor.account, role, realm)
        _check_addresses(emails, lambda email: check_is_no_display_email(email, realm.bot_domain))
        await check_seen(change.connection, actor.account, joins.channel_ids)
        known = await accounts.find_by_emails(change.connection, realm.id, emails)
        reasons = [
            (email, "Account has been deactivated." if not account.is_active else "Already has an account.", False)
            for email in emails
            if (account := known.get(email_key(email))) is not None
        ]
        invited = [email for email in emails if email_key(email) not in known]
        if not invited:
            raise InvitationFailed("We weren't able to invite anyone.", reasons)
        await _check_caps(change, actor.account, invited)
        sent = await send(
            change,
            realm,
            actor.account,
            invited,
            role=role,
            lifetime=lifetime,
            joins=joins,
            created_with=await key_above(change),
        )
    if reasons:
        raise InvitationFailed(
            "Some of those addresses are already using Zulip, so we didn't send them an invitation. We did send "
            "invitations to everyone else!",
            reasons,
            sent=sent,
        )
    return sent


async def invite_by_operator(context: Context, email: str, *, role: Role) -> tuple[Link, Secret]:
    """Invite somebody from the server's own command line, in the name of the organization's longest-standing owner.

    The link is mailed, and returned with its token. Raises Refused for somebody who already has an account.
    """
    email = checked_email(email)
    async with context.reading() as connection:
        everybody = await accounts.find_all(connection, (await the_realm(connection)).id)
    owner = next(account for account in everybody if account.is_active_owner)
    async with context.change(None, holding=[owner.id]) as change:
        realm = await the_realm(change.connection)
        inviter = await the_account(change.connection, None, owner.id)
        check_may_invite_as(inviter, role, realm)
        check_is_no_display_email(email, realm.bot_domain)
        if await accounts.find_by_email(change.connection, realm.id, email) is not None:
            raise Refused("Email is already in use")
        await check_caps(change, inviter.id, [email])
        lifetime = LIFETIMES[LinkPurpose.INVITATION]
        (sent,) = await send(change, realm, inviter, [email], role=role, lifetime=lifetime, joins=DEFAULT_CHANNELS)
        return sent


def check_lifetime(lifetime: timedelta) -> None:
    """Raise Refused, with Zulip's words, for links whose lifetime is zero or too long."""
    if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
        raise Refused("Invalid invite_expires_in_minutes")


def _check_addresses(emails: Sequence[str], check: Callable[[str], object]) -> None:
    """Raise InvitationFailed if a check refuses any of these. Then nobody is invited."""
    invalid = []
    for email in emails:
        try:
            check(email)
        except Refused:
            invalid.append((email, "Invalid address.", False))
    if invalid:
        message = "Some emails did not validate, so we didn't send any invitations."
        raise InvitationFailed(message, invalid)


async def _check_caps(change: Change, inviter: Account, emails: Sequence[str]) -> None:
    """Raise InvitationFailed, as for Zulip's limit on invitations, if these would be too many."""
    try:
        await check_caps(change, inviter.id, emails)
    except CapReached as reached:
        raise InvitationFailed(reached.message, (), is_limit=True) from None


async def check_caps(change: Change, inviter_id: int, emails: Sequence[str]) -> None:
    """Raise CapReached if an account would have too many open invitations, or too many mails would wait."""
    connection, now = change.connection, change.now
    check_cap(
        Cap.INVITATIONS,
        await links.count(connection, LinkPurpose.INVITATION, created_by=inviter_id, now=now) + len(emails),
    )
    await change.check_mails(emails)


async def send(
    change: Change,
    realm: Realm,
    inviter: Account,
    emails: Sequence[str],
    *,
    role: Role,
    lifetime: timedelta,
    joins: Joins,
    made_by_link: int | None = None,
    created_with: int | None = None,
) -> Sequence[tuple[Link, Secret]]:
    """Mail an invitation to each of these addresses, within a transaction. The values must already be checked.

    Returns each with its token, in the order of their ids.
    """
    tokens = {email: Secret(secrets.token_urlsafe(32)) for email in emails}
    sent = await links.add_all(
        change.connection,
        tokens,
        LinkPurpose.INVITATION,
        at=change.now,
        realm_id=realm.id,
        role=role,
        created_by=inviter.id,
        lifetime=lifetime,
        joins=joins,
        made_by_link=made_by_link,
        created_with=created_with,
    )
    mails = [
        mail_texts.invitation(realm, each.email, inviter, tokens[each.email], until=each.expires_at) for each in sent
    ]
    await change.send(*mails)
    by_link = {"by_link": made_by_link} if made_by_link else {}
    details = [{"email": email, "role": role.label, **by_link} for email in emails]
    await change.record_all(AuditEvent.INVITATION_CREATED, [(None, each) for each in details], realm=realm)
    return [(link, tokens[link.email]) for link in sorted(sent, key=lambda link: link.id)]


async def revoke(
    context: Context, caller: Caller, invitation_id: int, purposes: Sequence[LinkPurpose] = INVITATIONS
) -> None:
    """Withdraw an invitation. Invitations that were requested with a multi-use one end with it.

    Raises Refused with `No such invitation`, NotPermitted if it is not theirs.
    """
    async with context.change(caller) as change:
        link = await managed(change, invitation_id, purposes)
        if not await links.remove(change.connection, link.id):
            raise Refused(NO_INVITATION)
        await change.record(AuditEvent.INVITATION_REVOKED, details={"email": link.email or SEVERAL})


async def resend(context: Context, caller: Caller, invitation_id: int) -> tuple[Link, Secret]:
    """Mail a new link to replace the earlier one, which ends. Returns it with its token. Raises like `revoke` and
    `invite`.
    """
    async with context.change(caller) as change:
        change.check_covers(FULL)
        actor = change.actor.account
        realm = await the_realm(change.connection)
        link = await managed(change, invitation_id, [LinkPurpose.INVITATION])
        check_may_invite_as(actor, link.role or Role.MEMBER, realm)
        token = Secret(secrets.token_urlsafe(32))
        renewed = await links.renew(change.connection, link, token, at=change.now)
        if renewed is None:
            raise Refused(NO_INVITATION)
        await change.check_mails([renewed.email])
        await change.send(mail_texts.invitation(realm, renewed.email, actor, token, until=renewed.expires_at))
        await change.record(AuditEvent.INVITATION_CREATED, details={"email": renewed.email, "again": True})
        return renewed, token


async def managed(change: Change, invitation_id: int, purposes: Sequence[LinkPurpose]) -> Link:
    """The open invitation with that id. Raises Refused with `No such invitation`, NotPermitted if it is not theirs."""
    actor = change.actor.account
    link = await links.find_by_id(change.connection, invitation_id, purposes, change.now)
    if link is None or link.realm_id != actor.realm_id:
        raise Refused(NO_INVITATION)
    if not may_manage_invitation(actor, link):
        raise NotPermitted
    return link
