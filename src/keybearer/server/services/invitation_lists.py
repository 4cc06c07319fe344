"""Lists of the open invitations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.grants import FULL
from keybearer.server.domain.links import INVITATIONS, Link, LinkPurpose
from keybearer.server.domain.paging import Page, Position
from keybearer.server.domain.permissions import may_manage_invitation, roles_of_managed_invitations
from keybearer.server.services.context import Context
from keybearer.server.services.invitations import TOKEN_PURPOSE
from keybearer.server.storage import accounts, links


@dataclass(frozen=True, slots=True)
class SentInvitation:
    """An invitation and who sent it. `sender` is None if that account is missing."""

    link: Link
    sender: Account | None


async def find_page(context: Context, caller: Caller, text: str, position: Position) -> Page[SentInvitation]:
    """A page of the open invitations whose address contains a text, newest first: everybody's for administrators, for
    others their own. Raises BeyondGrant like `invitations.invite`.
    """
    async with context.viewing(caller) as view:
        view.actor.check_covers(FULL)
        page = await links.find_invitations(
            view.connection,
            view.actor.account,
            roles_of_managed_invitations(view.actor.account),
            view.now,
            text=text,
            position=position,
        )
        senders = await accounts.find_by_ids(
            view.connection, {link.created_by for link in page.entries if link.created_by is not None}
        )
    return page.with_entries([SentInvitation(link, senders.get(link.created_by or 0)) for link in page.entries])


async def find_all_with_tokens(context: Context, caller: Caller) -> Sequence[tuple[Link, Secret | None]]:
    """All open invitations, with the tokens of those that several people can use. Raises BeyondGrant like
    `invitations.invite`.
    """
    async with context.viewing(caller) as view:
        view.actor.check_covers(FULL)
        found = await links.find_all(view.connection, INVITATIONS, view.now)
        managed = [link for link in found if may_manage_invitation(view.actor.account, link)]
        for_several = [link for link in managed if link.purpose is LinkPurpose.MULTIUSE_INVITATION]
        keys = context.ring.derive_all(TOKEN_PURPOSE) if for_several else ()
        tokens = await links.find_ids(
            view.connection, [links.token_of(link, key) for link in for_several for key in keys]
        )
    return [(link, tokens.get(link.id)) for link in managed]
