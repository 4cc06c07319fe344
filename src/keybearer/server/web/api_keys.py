"""API keys: shown in answers that nobody stores, replaced after a warning, downloaded as a zuliprc."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import PasswordNeeded, Refused
from keybearer.server.domain.paging import PER_PAGE
from keybearer.server.services import api_keys, bots, devices, key_lists, sessions
from keybearer.server.services.api_keys import IssuedKey
from keybearer.server.web.bots import OpenKey, show_panel
from keybearer.server.web.headers import NO_STORE
from keybearer.server.web.visit import Visit

ZULIPRC_TYPE = "application/octet-stream; charset=utf-8"


def _password_form(visit: Visit, refusal: Refused | None = None) -> Response:
    return visit.render_form("account/api_key_password.html", refusal)


async def ask_password(visit: Visit) -> Response:
    """The first step to one's own key: the password."""
    return visit.render("account/api_key_password.html", error=None)


async def show_own(visit: Visit) -> Response:
    """One's own key, for the password. If it was revoked, the page asks whether to generate a new one."""
    try:
        if await api_keys.find_own_record(visit.context, visit.caller) is None:
            await sessions.confirm_password(visit.context, visit.caller, visit.password("password"))
            return await _question(visit)
        fetched = await sessions.reveal_own_key(visit.context, visit.caller, visit.password("password"))
    except Refused as refusal:
        return visit.render_form("account/api_key_password.html", refusal, error=f"Error: {refusal.message}")
    return _show_own(visit, fetched.issued)


def _show_own(visit: Visit, issued: IssuedKey, *, devices_removed: int | None = None) -> Response:
    return visit.render(
        "account/api_key.html",
        key=issued.api_key.reveal(),
        record=issued.record,
        devices_removed=devices_removed,
    )


async def confirm_own(visit: Visit) -> Response:
    """The question before replacing one's own key, with what will stop working."""
    if not visit.is_confirmed:
        return _password_form(visit, PasswordNeeded())
    return await _question(visit)


async def _question(visit: Visit) -> Response:
    return visit.render(
        "account/api_key_regenerate.html",
        record=await api_keys.find_own_record(visit.context, visit.caller),
        devices=await devices.find_all(visit.context, visit.caller),
        ending=await key_lists.find_ending(visit.context, visit.caller, limit=PER_PAGE),
    )


async def regenerate_own(visit: Visit) -> Response:
    """Replace one's own key and show the new one."""
    removed = len(await devices.find_all(visit.context, visit.caller))
    try:
        issued = await api_keys.regenerate_own(visit.context, visit.caller_once)
    except PasswordNeeded as needed:
        return _password_form(visit, needed)
    return _show_own(visit, issued, devices_removed=removed)


async def download_own(visit: Visit) -> Response:
    """One's own zuliprc."""
    try:
        return zuliprc_file(await api_keys.reveal_own(visit.context, visit.caller, event=AuditEvent.API_KEY_DOWNLOADED))
    except PasswordNeeded as needed:
        return _password_form(visit, needed)


async def show_bot(visit: Visit) -> Response:
    """A bot's key, and its zuliprc's text."""
    issued = await api_keys.reveal_bot(visit.context, visit.caller, visit.id("bot_id"))
    return await _show_bot(visit, issued, is_new=False)


async def _show_bot(visit: Visit, issued: IssuedKey, *, is_new: bool) -> Response:
    """The bot's panel with the key shown. For a dialog, only the part that contains the key."""
    shown = OpenKey(
        key=issued.api_key.reveal(),
        token=issued.token.reveal() if issued.token else None,
        zuliprc=issued.zuliprc(),
        is_new=is_new,
    )
    bot = await bots.find_details(visit.context, visit.caller, issued.account.id)
    if visit.is_dialog:
        return visit.render("bots/key.html", bot=bot, shown=shown)
    return await show_panel(visit, bot, shown=shown)


async def confirm_bot(visit: Visit) -> Response:
    """The question before replacing a bot's key, with what will stop working."""
    bot = await bots.find_details(visit.context, visit.caller, visit.id("bot_id"))
    ending = await key_lists.find_ending(visit.context, visit.caller, bot.account.id, limit=PER_PAGE)
    return visit.render("bots/regenerate.html", bot=bot, ending=ending)


async def regenerate_bot(visit: Visit) -> Response:
    """Replace a bot's key and show the new one."""
    issued = await api_keys.regenerate_bot(visit.context, visit.caller_once, visit.id("bot_id"))
    return await _show_bot(visit, issued, is_new=True)


async def download_bot(visit: Visit) -> Response:
    """A bot's zuliprc."""
    return zuliprc_file(
        await api_keys.reveal_bot(visit.context, visit.caller, visit.id("bot_id"), event=AuditEvent.API_KEY_DOWNLOADED)
    )


def zuliprc_file(issued: IssuedKey) -> Response:
    """A zuliprc, as a file to save."""
    return file_with_keys(issued.zuliprc(), "zuliprc")


def file_with_keys(text: str, name: str) -> Response:
    """A text with keys in it, as a file with this name to save."""
    return Response(
        text.encode(),
        headers={
            "content-type": ZULIPRC_TYPE,
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": NO_STORE,
        },
    )
