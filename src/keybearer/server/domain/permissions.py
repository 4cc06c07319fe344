"""Who may do what to whom: one function for each rule about a particular account.

What a route asks of every caller is its rule, which is written at the route.
"""

from __future__ import annotations

from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.errors import NotPermitted, must_be
from keybearer.server.domain.links import Link
from keybearer.server.domain.realms import Realm
from keybearer.server.domain.visibility import may_see_bot


def may_manage_bot(actor: Account, bot: Account) -> bool:
    """A bot is managed by its owner and by administrators: the people who may see the details of managing it.

    Guests manage no bots. When somebody becomes a guest, only administrators can manage their bots.
    """
    return may_see_bot(actor, bot)


def may_create_bot(actor: Account, bot_type: int, realm: Realm) -> bool:
    """Whether the realm's policies let this account have a bot of that type. The number may be a type that Keybearer
    does not have."""
    if realm.can_create_bots.includes(actor.role):
        return True
    return bot_type == BotType.INCOMING_WEBHOOK and realm.can_create_write_only_bots.includes(actor.role)


def may_change_people(actor: Account) -> bool:
    """Administrators change the names and roles of other accounts, including bots."""
    return actor.is_administrator


def may_give_role(actor: Account, subject: Account, role: Role) -> bool:
    """Administrators give roles. Only owners give or take the role of an owner."""
    if not actor.is_administrator:
        return False
    return actor.is_owner or Role.OWNER not in (subject.role, role)


def check_may_give_role(actor: Account, subject: Account, role: Role) -> None:
    """Raise NotPermitted, with Zulip's words, unless `may_give_role`."""
    if not may_give_role(actor, subject, role):
        raise must_be("owner" if actor.is_administrator else "administrator")


def check_may_hand_over(actor: Account, before: Account, after: Account) -> None:
    """Raise NotPermitted if the new owner would raise the bot's role in effect above the actor's own role."""
    if after.role < min(before.role, actor.role):
        raise must_be(after.role.label)


def check_may_invite_as(actor: Account, role: Role, realm: Realm) -> None:
    """Raise NotPermitted, with Zulip's words, unless `may_invite_as`."""
    if not realm.can_invite.includes(actor.role):
        raise NotPermitted
    if not may_invite_as(actor, role, realm):
        raise must_be("owner" if role is Role.OWNER else "administrator")


def may_invite_as(actor: Account, role: Role, realm: Realm) -> bool:
    """Whether the realm's policy lets this account invite people, and its own role is high enough to invite somebody as
    that role."""
    if not realm.can_invite.includes(actor.role):
        return False
    least = {Role.OWNER: Role.OWNER, Role.ADMINISTRATOR: Role.ADMINISTRATOR, Role.MODERATOR: Role.ADMINISTRATOR}
    return actor.role <= least.get(role, Role.GUEST)


def may_invite_several_as(actor: Account, role: Role) -> bool:
    """Whether the account may create an invitation as that role that several people can use.

    Administrators may. Nobody may for owners and administrators, because such a link is passed on.
    """
    return actor.is_administrator and role > Role.ADMINISTRATOR


def check_may_invite_several_as(actor: Account, role: Role) -> None:
    """Raise NotPermitted, with Zulip's words if it has any, unless `may_invite_several_as`."""
    if not may_invite_several_as(actor, role):
        why = "An invitation that several people can use cannot be for owners or administrators."
        raise NotPermitted(why) if actor.is_administrator else NotPermitted


def roles_of_managed_invitations(actor: Account) -> frozenset[Role]:
    """The roles in which people are invited by the invitations of others that an account manages. Administrators manage
    them; only owners manage an invitation as owner.
    """
    if not actor.is_administrator:
        return frozenset()
    return frozenset(role for role in Role if actor.is_owner or role is not Role.OWNER)


def may_manage_invitation(actor: Account, invitation: Link) -> bool:
    """An invitation is managed by its sender, and by those who manage the invitations of others in its role."""
    if invitation.realm_id != actor.realm_id:
        return False
    return invitation.created_by == actor.id or invitation.role in roles_of_managed_invitations(actor)


def may_deactivate(actor: Account, subject: Account) -> bool:
    """Administrators deactivate people. Only owners deactivate owners."""
    return actor.is_administrator and (actor.is_owner or not subject.is_owner)


def check_may_deactivate(actor: Account, subject: Account) -> None:
    """Raise NotPermitted, with Zulip's words, unless `may_deactivate`."""
    if not actor.is_administrator:
        raise NotPermitted
    if not may_deactivate(actor, subject):
        raise must_be("owner")


def may_make_reset_link(actor: Account, subject: Account) -> bool:
    """Administrators create links with which people of a lower role choose a new password. Nobody does so for
    owners."""
    return actor.is_administrator and not subject.is_bot and subject.is_active and subject.role > actor.role


def check_may_make_reset_link(actor: Account, subject: Account) -> None:
    """Raise NotPermitted unless `may_make_reset_link`."""
    if not may_make_reset_link(actor, subject):
        raise NotPermitted("You can create reset links only for active users whose role is lower than yours.")


def may_reactivate(actor: Account, subject: Account, realm: Realm) -> bool:
    """A bot is reactivated by its owner, if the owner may create such a bot. Whoever may deactivate an account may also
    reactivate it.

    A bot without an active owner becomes the actor's. Bots own no bots.
    """
    if subject.lacks_active_owner and actor.is_bot:
        return False
    if subject.bot_type is not None and subject.bot_owner_id == actor.id:
        return may_create_bot(actor, subject.bot_type, realm)
    return may_deactivate(actor, subject)


def check_may_change_policies(actor: Account) -> None:
    """Raise NotPermitted, with Zulip's words, unless the account is an administrator."""
    if not actor.is_administrator:
        raise must_be("administrator")
