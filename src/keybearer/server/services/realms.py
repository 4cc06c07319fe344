"""The organization: its name, its address and its policies."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.permissions import check_may_change_policies
from keybearer.server.domain.realms import Realm, SystemGroup
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_realm
from keybearer.server.storage import realms
from keybearer.zuliprc.credentials import normalise_site

NAME_MAX_LENGTH = 40


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


async def change_policies(context: Context, caller: Caller, wanted: PolicyChange) -> Realm:
    """Change who may create bots and invite people, for administrators. Guests are never among them, as in Zulip."""
    given: dict[str, Any] = {field.name: getattr(wanted, field.name) for field in fields(wanted)}
    policies = {name: group for name, group in given.items() if group is not None}
    async with context.change(caller) as change:
        check_may_change_policies(change.actor.account)
        for name, group in policies.items():
            if group in (SystemGroup.EVERYONE, SystemGroup.INTERNET):
                setting = "can_invite_users_group" if name == "can_invite" else f"{name}_group"
                raise Refused(f"'{setting}' setting cannot be set to '{group.wire_name}' group.")
        before = await the_realm(change.connection, for_change=True)
        changed = {name: group for name, group in policies.items() if getattr(before, name) is not group}
        after = replace(before, **changed)
        if changed:
            await realms.save(change.connection, after)
            details = {name: group.wire_name for name, group in changed.items()}
            await change.record(AuditEvent.REALM_CHANGED, realm=after, details=details)
        return after


def checked_name(text: str) -> str:
    """`text` without outer blanks; raises Refused unless it is a good name for an organization."""
    name = text.strip()
    if not name or len(name) > NAME_MAX_LENGTH or not name.isprintable():
        raise Refused(f"The organization's name needs 1 to {NAME_MAX_LENGTH} printable characters.")
    return name


async def move(context: Context, site: str) -> tuple[Realm, Realm]:
    """Give the organization another address (the operator does); returns it as it was and as it is.

    Every zuliprc issued before names the old address.
    """
    site = normalise_site(site)
    async with context.change(None) as change:
        before = await the_realm(change.connection, for_change=True)
        after = replace(before, site=site)
        await realms.save(change.connection, after)
        await change.record(AuditEvent.REALM_MOVED, realm=after, details={"from": before.site, "to": after.site})
        return before, after
