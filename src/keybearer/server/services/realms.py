"""The organization: its name, its address and its policies."""

from __future__ import annotations

from dataclasses import dataclass, replace

from keybearer.server.domain.actors import Actor
from keybearer.server.domain.audit import Event
from keybearer.server.domain.errors import NotPermitted, Refused
from keybearer.server.domain.realms import Realm, SystemGroup
from keybearer.server.services.context import Context
from keybearer.server.services.subjects import the_realm
from keybearer.server.storage import realms
from keybearer.zuliprc.credentials import normalise_site


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """Which groups are to be allowed what; None leaves a policy as it is."""

    can_create_bots: SystemGroup | None = None
    can_create_write_only_bots: SystemGroup | None = None
    can_invite: SystemGroup | None = None


async def find(context: Context) -> Realm:
    """The organization. Raises Refused before set-up."""
    async with context.reading() as connection:
        return await the_realm(connection)


async def change_policies(context: Context, actor: Actor, wanted: PolicyChange) -> Realm:
    """Change who may create bots and invite people, for administrators. Guests are never among them, as in Zulip."""
    if not actor.account.is_administrator:
        raise NotPermitted("Must be an organization administrator", code="UNAUTHORIZED_PRINCIPAL")
    async with context.change(actor) as change:
        before = await the_realm(change.connection)
        after = replace(
            before,
            can_create_bots=_allowed("can_create_bots", wanted.can_create_bots) or before.can_create_bots,
            can_create_write_only_bots=_allowed("can_create_write_only_bots", wanted.can_create_write_only_bots)
            or before.can_create_write_only_bots,
            can_invite=_allowed("can_invite_users", wanted.can_invite) or before.can_invite,
        )
        if after != before:
            await realms.save(change.connection, after)
            names = ("can_create_bots", "can_create_write_only_bots", "can_invite")
            changed = {
                name: getattr(after, name).wire_name for name in names if getattr(after, name) != getattr(before, name)
            }
            await change.record(Event.REALM_CHANGED, realm=after, details=changed)
        return after


def _allowed(setting: str, group: SystemGroup | None) -> SystemGroup | None:
    if group is SystemGroup.EVERYONE:
        raise Refused(f"'{setting}_group' setting cannot be set to 'role:everyone' group.")
    return group


async def move(context: Context, site: str) -> tuple[Realm, Realm]:
    """Give the organization another address (the operator does); returns it as it was and as it is.

    Every zuliprc issued before names the old address.
    """
    site = normalise_site(site)
    async with context.change(None) as change:
        before = await the_realm(change.connection)
        after = replace(before, site=site)
        await realms.save(change.connection, after)
        await change.record(Event.REALM_MOVED, realm=after, details={"from": before.site, "to": after.site})
        return before, after
