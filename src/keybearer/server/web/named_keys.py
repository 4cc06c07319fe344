"""Named keys of oneself and of one's bots: add, change, regenerate and revoke them."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.api_keys import APIKeyRecord, checked_overlap
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.forms import AlreadySent, FormTooOld
from keybearer.server.domain.grants import MEANINGS
from keybearer.server.domain.paging import PER_PAGE
from keybearer.server.services import bots, key_lists, key_possession, named_keys
from keybearer.server.services.api_keys import IssuedKey
from keybearer.server.web import key_form
from keybearer.server.web.accounts import show_page
from keybearer.server.web.api_keys import zuliprc_file
from keybearer.server.web.bots import show_panel
from keybearer.server.web.confirmation import confirmed_caller
from keybearer.server.web.key_section import find_section
from keybearer.server.web.notices import Notice
from keybearer.server.web.visit import Visit

OVERLAPS = {0: "At once", 3600: "In 1 hour", 86400: "In 24 hours"}
"""When the old key stops working after a new one is generated, by seconds."""


def _bot_id(visit: Visit) -> int | None:
    """The bot whose keys to use. None for the visitor's own."""
    return visit.id("bot_id") if "bot_id" in visit.ids else None


async def _holder(visit: Visit) -> Account:
    bot_id = _bot_id(visit)
    if bot_id is None:
        return visit.caller.account
    return (await bots.find_details(visit.context, visit.caller, bot_id)).account


async def show_form(visit: Visit) -> Response:
    """The form for a new key."""
    return _form(visit, await _holder(visit))


def _form(visit: Visit, holder: Account, refusal: Refused | None = None) -> Response:
    policy = visit.realm.key_policy
    return visit.render_form(
        "named_keys/add.html",
        refusal,
        holder=holder,
        values=visit.form or key_form.first_values(policy),
        meanings=MEANINGS,
        ends=key_form.ends(policy),
        is_confirmed=visit.is_confirmed,
    )


async def add(visit: Visit) -> Response:
    """Create the key, and show it."""
    holder = await _holder(visit)
    try:
        new = key_form.new_key(visit)
        issued = await named_keys.create(visit.context, await confirmed_caller(visit), new, _bot_id(visit))
    except (AlreadySent, FormTooOld):
        raise
    except Refused as refusal:
        return _form(visit, holder, refusal)
    return await _answer(visit, made=issued, told=f"“{issued.record.name}” was added.")


async def _answer(visit: Visit, *, made: IssuedKey | None = None, told: str = "") -> Response:
    """The page with the current table of keys. For a dialog, only the part that contains it."""
    bot_id = _bot_id(visit)
    section = await find_section(visit, bot_id, made=made, told=told)
    if visit.is_dialog:
        return visit.render("named_keys/section.html", section=section)
    if bot_id is None:
        return await show_page(visit, section=section)
    bot = await bots.find_details(visit.context, visit.caller, bot_id)
    return await show_panel(visit, bot, section=section)


async def _key(visit: Visit) -> APIKeyRecord:
    """The named key in the path. Raises Refused if there is none, and for the account key."""
    for record in await key_lists.find_all(visit.context, visit.caller, _bot_id(visit)):
        if record.id == visit.id("key_id") and not record.is_account_key:
            return record
    raise Refused("No such API key")


async def show_change(visit: Visit) -> Response:
    """The form to rename or narrow a key."""
    return await _change(visit)


async def _change(visit: Visit, refusal: Refused | None = None) -> Response:
    key = await _key(visit)
    return visit.render_form(
        "named_keys/change.html",
        refusal,
        holder=await _holder(visit),
        key=key,
        values=visit.form or key_form.values_of(key),
        meanings={scope: meaning for scope, meaning in MEANINGS.items() if scope in key.scopes},
        ends=key_form.earlier_ends(key, visit.context.clock()),
        is_confirmed=visit.is_confirmed,
    )


async def change(visit: Visit) -> Response:
    """Rename a key, or narrow it."""
    try:
        wanted = key_form.key_change(visit)
        caller = await confirmed_caller(visit)
        await named_keys.change_key(visit.context, caller, visit.id("key_id"), wanted, _bot_id(visit))
    except (AlreadySent, FormTooOld):
        raise
    except Refused as refusal:
        return await _change(visit, refusal)
    return await _redirect_with_notice(visit, Notice.KEY_SAVED)


async def _redirect_with_notice(visit: Visit, notice: Notice) -> Response:
    """The answer of a form that shows no key: a redirect to the page with the table, which says what was done."""
    if visit.is_dialog:
        return await _answer(visit, told=notice.value)
    bot_id = _bot_id(visit)
    page = "/settings/account/" if bot_id is None else f"/settings/bots/{bot_id}/"
    return visit.redirect(page, notice=notice)


async def confirm_regeneration(visit: Visit) -> Response:
    """The question before regenerating a key, and when the old one stops working."""
    return await _regeneration(visit)


async def _regeneration(visit: Visit, refusal: Refused | None = None) -> Response:
    key = await _key(visit)
    named_keys.check_not_replaced(key)
    return visit.render_form(
        "named_keys/regenerate.html",
        refusal,
        holder=await _holder(visit),
        key=key,
        overlaps=OVERLAPS,
        wanted=visit.text("overlap"),
        is_confirmed=visit.is_confirmed,
    )


async def regenerate(visit: Visit) -> Response:
    """Create a key to replace another one, and show it."""
    try:
        overlap = checked_overlap(visit.number("overlap") or 0)
        issued = await named_keys.regenerate(
            visit.context, await confirmed_caller(visit), visit.id("key_id"), overlap=overlap, bot_id=_bot_id(visit)
        )
    except (AlreadySent, FormTooOld):
        raise
    except Refused as refusal:
        return await _regeneration(visit, refusal)
    told = "the old one works until its overlap ends." if overlap else "the old one has stopped working."
    return await _answer(visit, made=issued, told=f"“{issued.record.name}” has a new key; {told}")


async def confirm_revocation(visit: Visit) -> Response:
    """The question before revoking a key, with what stops working."""
    return await _revocation(visit)


async def _revocation(visit: Visit, refusal: Refused | None = None) -> Response:
    key = await _key(visit)
    return visit.render_form(
        "named_keys/revoke.html",
        refusal,
        holder=await _holder(visit),
        key=key,
        ending=await key_lists.find_ending_with(visit.context, visit.caller, key.id, _bot_id(visit), limit=PER_PAGE),
        is_confirmed=visit.is_confirmed,
    )


async def revoke(visit: Visit) -> Response:
    """Revoke a key."""
    try:
        await named_keys.revoke(visit.context, await confirmed_caller(visit), visit.id("key_id"), _bot_id(visit))
    except (AlreadySent, FormTooOld):
        raise
    except Refused as refusal:
        return await _revocation(visit, refusal)
    return await _redirect_with_notice(visit, Notice.KEY_REVOKED)


async def download(visit: Visit) -> Response:
    """The zuliprc of a named key, for a page that has its text. The text is stored nowhere else."""
    issued = await key_possession.find(visit.context, Secret(visit.text("api_key")), visit.origin)
    return zuliprc_file(issued)
