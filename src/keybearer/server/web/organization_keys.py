"""The keys of the organization, for administrators: filter and revoke them."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.forms import AlreadySent, FormTooOld
from keybearer.server.domain.key_lists import KeyKind, KeyQuery
from keybearer.server.domain.paging import PER_PAGE
from keybearer.server.services import key_lists, named_keys
from keybearer.server.web.confirmation import confirmed_caller
from keybearer.server.web.notices import Notice
from keybearer.server.web.tables import links_of, read_position, read_text
from keybearer.server.web.visit import Visit

PAGE = "/organization/api-keys/"
KINDS = {
    KeyKind.ALL: "All keys",
    KeyKind.NAMED: "Named keys",
    KeyKind.UNUSED: "Unused for 90 days",
    KeyKind.ENDING: "Ending within 30 days",
}
"""The filters of the table."""


async def show_all(visit: Visit) -> Response:
    """The live keys, in the order of issue."""
    query = KeyQuery(_kind(visit), read_text(visit), read_position(visit))
    page = await key_lists.find_page_of_organization(visit.context, visit.caller, query)
    return visit.render(
        "named_keys/organization.html",
        keys=page.entries,
        links=links_of(page, {"filter": query.text, "kind": query.kind.value}),
        text=query.text,
        kind=query.kind,
        kinds=KINDS,
        is_filtered=bool(query.text or query.kind is not KeyKind.ALL),
    )


def _kind(visit: Visit) -> KeyKind:
    wanted = visit.query.get("kind", "")
    return next((kind for kind in KeyKind if kind.value == wanted), KeyKind.ALL)


async def confirm_revocation(visit: Visit) -> Response:
    """The question before revoking a key, with what stops working."""
    return await _revocation(visit)


async def _revocation(visit: Visit, refusal: Refused | None = None) -> Response:
    key_id = visit.id("key_id")
    found = await key_lists.find_all_of_organization(visit.context, visit.caller, after=key_id - 1, limit=1)
    if not found or found[0].record.id != key_id or found[0].record.is_account_key:
        raise Refused("No such API key")
    return visit.render_form(
        "named_keys/revoke_any.html",
        refusal,
        holder=found[0].account,
        key=found[0].record,
        ending=await key_lists.find_ending_with_any(visit.context, visit.caller, key_id, limit=PER_PAGE),
        is_confirmed=visit.is_confirmed,
    )


async def revoke(visit: Visit) -> Response:
    """Revoke anybody's named key. Its owner gets a mail."""
    try:
        await named_keys.revoke_of_organization(visit.context, await confirmed_caller(visit), visit.id("key_id"))
    except (AlreadySent, FormTooOld):
        raise
    except Refused as refusal:
        return await _revocation(visit, refusal)
    return visit.redirect(PAGE, notice=Notice.KEY_REVOKED)
