"""The organization: its name, its address and its policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import idna

from keybearer.server.domain import realm_events
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import NotSetUp, Refused
from keybearer.server.domain.permissions import check_may_change_policies
from keybearer.server.domain.realm_events import GROUP_SETTINGS, KEY_SETTINGS
from keybearer.server.domain.realms import Realm, SystemGroup
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_realm
from keybearer.server.storage import realms
from keybearer.zuliprc.credentials import normalise_site

NAME_MAX_LENGTH = 40
DESCRIPTION_MAX_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class RealmChange:
    """The organization's new name and the groups that policies allow. None leaves a field as it is.

    `key_policy` has the changes of the policy about named keys, by the fields of `KeyPolicy`.
    """

    name: str | None = None
    description: str | None = None
    can_create_bots: SystemGroup | None = None
    can_create_write_only_bots: SystemGroup | None = None
    can_invite: SystemGroup | None = None
    key_policy: Mapping[str, Any] = field(default_factory=dict)

    def applied_to(self, realm: Realm) -> Realm:
        """The organization after the change. Raises Refused if the policy about keys contradicts itself."""
        names = ("name", "description", *GROUP_SETTINGS)
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        policy = replace(realm.key_policy, **self.key_policy)
        return replace(realm, **given, key_policy=policy.checked() if self.key_policy else policy)


async def find(context: Context) -> Realm:
    """The organization. Raises Refused before set-up."""
    realm = await context.realm.find()
    if realm is None:
        raise NotSetUp
    return realm


async def change(context: Context, caller: Caller, wanted: RealmChange) -> tuple[Realm, Realm]:
    """Change the organization's name, who may do what in it, and how long keys live. For administrators.

    Guests never create bots or invite people, as in Zulip. Returns the organization before and after. Raises Refused.
    """
    async with context.change(caller) as change:
        check_may_change_policies(change.actor.account)
        for name, setting in GROUP_SETTINGS.items():
            group = getattr(wanted, name)
            if group in (SystemGroup.EVERYONE, SystemGroup.INTERNET):
                raise Refused(f"'{setting}' setting cannot be set to '{group.wire_name}' group.")
        before = await the_realm(change.connection, for_change=True)
        after = wanted.applied_to(before)
        details = _differences(before, after)
        if details:
            await realms.save(change.connection, after)
            await change.record(AuditEvent.REALM_CHANGED, realm=after, details=details)
            change.tell(*realm_events.changed(before, after))
        return before, after


def _differences(before: Realm, after: Realm) -> dict[str, object]:
    """What the audit log says about a change, by field."""
    found = {
        name: getattr(value, "wire_name", value)
        for name in ("name", "description", *GROUP_SETTINGS)
        if (value := getattr(after, name)) != getattr(before, name)
    }
    return found | {
        on_wire: getattr(after.key_policy, name)
        for name, on_wire in KEY_SETTINGS.items()
        if getattr(after.key_policy, name) != getattr(before.key_policy, name)
    }


def checked_name(text: str) -> str:
    """`text` without surrounding blanks. Raises Refused unless it is a valid name for an organization."""
    name = text.strip()
    if not name or len(name) > NAME_MAX_LENGTH or not name.isprintable():
        raise Refused(f"The organization's name needs 1 to {NAME_MAX_LENGTH} printable characters.")
    return name


def checked_site(text: str) -> str:
    """The normal form of the organization's URL. A name with non-ASCII letters is in its IDNA form.

    Browsers and programs send that form, and every zuliprc that is issued contains it. Raises ResolutionError (kind
    `bad_url`) for text that is not a URL, Refused for a name that has no such form.
    """
    site = normalise_site(text)
    host = urlsplit(site).hostname or ""
    if host.isascii():
        return site
    try:
        return site.replace(host, idna.encode(host, uts46=True).decode(), 1)
    except idna.IDNAError:
        raise Refused(f"The site's name {host} has no form that programs can use.") from None


def checked_description(text: str) -> str:
    """`text` without surrounding blanks. Raises Refused unless it is valid as the description of an organization."""
    description = text.strip()
    if len(description) > DESCRIPTION_MAX_LENGTH or not all(c.isprintable() or c in "\r\n\t" for c in description):
        raise Refused(f"The organization's description may have {DESCRIPTION_MAX_LENGTH} printable characters at most.")
    return description


async def move(context: Context, site: str) -> tuple[Realm, Realm]:
    """Give the organization another URL, for the operator. Returns the organization before and after.

    Every zuliprc issued before contains the old URL.
    """
    site = checked_site(site)
    async with context.change(None) as change:
        before = await the_realm(change.connection, for_change=True)
        after = replace(before, site=site)
        await realms.save(change.connection, after)
        await change.record(AuditEvent.REALM_MOVED, realm=after, details={"from": before.site, "to": after.site})
        return before, after
