"""People: the members of the organization, for all of them."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.account_lists import AccountList, AccountSort
from keybearer.server.domain.visibility import may_see_email
from keybearer.server.services import profiles
from keybearer.server.web.tables import read_query, table_of
from keybearer.server.web.visit import Visit

_SORTS = (AccountSort.NAME, AccountSort.ROLE, AccountSort.JOINED)


async def show_all(visit: Visit) -> Response:
    """The directory. Addresses are shown only as far as the visitor may see them."""
    query = read_query(visit, _SORTS)
    viewed = await profiles.find_page(visit.context, visit.caller, AccountList.PEOPLE, query)
    return visit.render(
        "people/table.html",
        table=table_of(query, viewed.found),
        may_see_email=lambda person: may_see_email(viewed.viewer, person),
    )
