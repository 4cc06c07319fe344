"""The organization: its name, its site, and who may do what in it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.key_policy import MOST_DAYS, NO_SUCH_LIFE
from keybearer.server.domain.realm_events import KEY_SETTINGS
from keybearer.server.domain.realms import SystemGroup
from keybearer.server.services import realms
from keybearer.server.services.realms import RealmChange
from keybearer.server.web.notices import Notice
from keybearer.server.web.visit import Visit

GROUPS = (
    SystemGroup.MEMBERS,
    SystemGroup.MODERATORS,
    SystemGroup.ADMINISTRATORS,
    SystemGroup.OWNERS,
    SystemGroup.NOBODY,
)
"""The groups that a policy can be set to here. The wire also has full members; here new members are full members at
once.
"""


async def show_profile(visit: Visit) -> Response:
    """Its name, its description and its site."""
    return _profile(visit)


def _profile(visit: Visit, refusal: Refused | None = None) -> Response:
    return visit.render_form("organization/profile.html", refusal, values=visit.form)


async def change_profile(visit: Visit) -> Response:
    """Change the name and description. Only the operator changes the site."""
    try:
        wanted = RealmChange(
            name=realms.checked_name(visit.text("organization")),
            description=realms.checked_description(visit.text("description")),
        )
        await realms.change(visit.context, visit.caller, wanted)
    except Refused as refusal:
        return _profile(visit, refusal)
    return visit.redirect("/organization/profile/", notice=Notice.ORGANIZATION_SAVED)


async def show_policies(visit: Visit) -> Response:
    """The policies."""
    return _policies(visit)


def _policies(visit: Visit, refusal: Refused | None = None) -> Response:
    return visit.render_form(
        "organization/policies.html", refusal, groups=GROUPS, values=visit.form, most_days=MOST_DAYS
    )


async def change_policies(visit: Visit) -> Response:
    """Change the policies."""
    try:
        wanted = RealmChange(
            can_create_bots=_group(visit, "can_create_bots"),
            can_create_write_only_bots=_group(visit, "can_create_write_only_bots"),
            can_invite=_group(visit, "can_invite"),
            key_policy=_key_policy(visit),
        )
        await realms.change(visit.context, visit.caller, wanted)
    except Refused as refusal:
        return _policies(visit, refusal)
    return visit.redirect("/organization/policies/", notice=Notice.POLICIES_SAVED)


def _group(visit: Visit, name: str) -> SystemGroup | None:
    number = visit.number(name)
    if number is None:
        return None
    try:
        return SystemGroup(number)
    except ValueError:
        raise Refused("There is no such group.") from None


def _key_policy(visit: Visit) -> Mapping[str, int | bool | None]:
    """The changes in the form to the policy about named keys; nothing if the form does not contain it. Empty: no
    limit.
    """
    if KEY_SETTINGS["longest_days"] not in visit.form:
        return {}
    return {
        "longest_days": _days(visit, KEY_SETTINGS["longest_days"]),
        "default_days": _days(visit, KEY_SETTINGS["default_days"]),
        "must_end": KEY_SETTINGS["must_end"] in visit.form,
    }


def _days(visit: Visit, name: str) -> int | None:
    try:
        return visit.number(name)
    except Refused:
        raise Refused(NO_SUCH_LIFE) from None
