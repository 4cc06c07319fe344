"""Account & privacy: one's own name, email, password and API key."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.accounts import EmailVisibility
from keybearer.server.domain.errors import Refused
from keybearer.server.services import accounts, api_keys, bot_lists, deactivation, sessions
from keybearer.server.services.accounts import OwnChange
from keybearer.server.web.key_section import KeySection, find_section
from keybearer.server.web.notices import Notice
from keybearer.server.web.visit import THEMES, Visit

VISIBILITIES = {
    EmailVisibility.EVERYONE: "Everyone, guests too",
    EmailVisibility.MEMBERS: "Members and above",
    EmailVisibility.MODERATORS: "Moderators and above",
    EmailVisibility.ADMINISTRATORS: "Administrators and owners",
    EmailVisibility.NOBODY: "Nobody",
}


async def go_to_settings(visit: Visit) -> Response:
    """The first page of the settings."""
    return visit.redirect("/settings/account/", status=302)


async def show(visit: Visit) -> Response:
    """The page."""
    return await show_page(visit)


async def show_page(visit: Visit, *, section: KeySection | None = None, refusal: Refused | None = None) -> Response:
    """The page, with the table of keys as it is, or as a form for one of them has left it."""
    record = await api_keys.find_own_record(visit.context, visit.caller)
    section = section or await find_section(visit)
    return visit.render_form(
        "account/show.html", refusal, key=record, section=section, visibilities=VISIBILITIES, themes=THEMES
    )


async def show_name(visit: Visit) -> Response:
    """The form to change one's own name."""
    return visit.render_form("account/name.html", full_name=visit.caller.account.full_name)


async def rename(visit: Visit) -> Response:
    """Change one's own name."""
    try:
        await accounts.change_own(visit.context, visit.caller, OwnChange(full_name=visit.text("full_name")))
    except Refused as refusal:
        return visit.render_form("account/name.html", refusal, full_name=visit.text("full_name"))
    return visit.redirect("/settings/account/", notice=Notice.NAME_SAVED)


async def save_privacy(visit: Visit) -> Response:
    """Change who sees one's own email, and whether sign-ins are reported by mail."""
    try:
        wanted = OwnChange(email_visibility=_visibility(visit), login_mails=visit.form.get("login_mails") == "on")
        await accounts.change_own(visit.context, visit.caller, wanted)
    except Refused as refusal:
        return await show_page(visit, refusal=refusal)
    return visit.redirect("/settings/account/", notice=Notice.PRIVACY_SAVED)


def _visibility(visit: Visit) -> EmailVisibility:
    number = visit.number("email_visibility")
    if number not in list(EmailVisibility):
        raise Refused("Choose who can see your email.")
    return EmailVisibility(number)


async def confirm_deactivation(visit: Visit) -> Response:
    """The question before deactivating one's own account."""
    return await _deactivation(visit)


async def _deactivation(visit: Visit, refusal: Refused | None = None) -> Response:
    owned = await bot_lists.find_active_of(visit.context, visit.caller, visit.caller.id, first=0)
    return visit.render_form("account/deactivate.html", refusal, bots=owned.count)


async def deactivate(visit: Visit) -> Response:
    """Deactivate one's own account, for the password."""
    try:
        await sessions.confirm_password(visit.context, visit.caller, visit.password("password"))
        await deactivation.deactivate_own(visit.context, visit.caller)
    except Refused as refusal:
        return await _deactivation(visit, refusal)
    return visit.signed_out(notice=Notice.ACCOUNT_DEACTIVATED)
