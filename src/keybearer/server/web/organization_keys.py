"""The keys of the organization, for administrators: filter and revoke them."""

from __future__ import annotations

from datetime import datetime, timedelta

from starlette.responses import Response

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.forms import AlreadySent, FormTooOld
from keybearer.server.domain.limits import Cap
from keybearer.server.services import key_lists, named_keys
from keybearer.server.services.named_keys import HeldKey
from keybearer.server.web.confirmation import confirmed_caller
from keybearer.server.web.notices import Notice
from keybearer.server.web.tables import matches
from keybearer.server.web.visit import Visit

PAGE = "/organization/api-keys/"
PER_PAGE = 200
SOON = timedelta(days=30)

KINDS = {"": "All keys", "named": "Named keys", "unused": "Unused for 90 days", "ending": "Ending within 30 days"}
"""The filters of the table, by their value in the query."""


async def show_all(visit: Visit) -> Response:
    """The live keys, in the order of issue."""
    text, kind, after = visit.query.get("filter", "").strip(), visit.query.get("kind", ""), _after_id(visit)
    found = await key_lists.find_all_of_organization(visit.context, visit.caller, after=after)
    fitting = [held for held in found if _matches(visit, held, text.casefold(), kind)]
    shown = fitting[:PER_PAGE]
    is_cut, may_be_more = len(fitting) > len(shown), len(found) == Cap.ENTRIES.most
    return visit.render(
        "named_keys/organization.html",
        keys=shown,
        text=text,
        kind=kind if kind in KINDS else "",
        kinds=KINDS,
        is_filtered=bool(text or kind or after),
        after=shown[-1].record.id if is_cut else found[-1].record.id if may_be_more else None,
    )


def _after_id(visit: Visit) -> int:
    after = visit.query.get("after", "")
    return int(after) if after.isascii() and after.isdigit() and len(after) <= 9 else 0


def _matches(visit: Visit, held: HeldKey, text: str, kind: str) -> bool:
    record, now = held.record, visit.context.clock()
    if not (text in record.name.casefold() or matches(visit, held.account, text)):
        return False
    if kind == "named":
        return not record.is_account_key
    if kind == "unused":
        return record.is_unused(now)
    return kind != "ending" or _ends_before(record.expires_at, now + SOON)


def _ends_before(expires_at: datetime | None, moment: datetime) -> bool:
    return expires_at is not None and expires_at <= moment


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
        ending=await key_lists.find_ending_with_any(visit.context, visit.caller, key_id),
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
