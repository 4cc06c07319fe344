"""People: the members of the organization, for all of them."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.visibility import may_see_email
from keybearer.server.services import profiles
from keybearer.server.web.tables import SortKeys, choose
from keybearer.server.web.visit import Visit

_SORT_KEYS: SortKeys[Account] = {
    "name": lambda person: person.full_name.casefold(),
    "role": lambda person: person.role,
    "joined": lambda person: person.date_joined,
}


async def show_all(visit: Visit) -> Response:
    """The directory. Addresses are shown only as far as the visitor may see them."""
    viewed = await profiles.find_all(visit.context, visit.caller)
    people = [account for account in viewed.accounts if not account.is_bot]
    return visit.render(
        "people/table.html",
        table=choose(visit, people, lambda person: person, _SORT_KEYS),
        may_see_email=lambda person: may_see_email(viewed.viewer, person),
    )
