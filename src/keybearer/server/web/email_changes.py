"""One's own email: requested on the account's page, confirmed and undone by links in mails."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.errors import Refused
from keybearer.server.services import email_changes, key_lists
from keybearer.server.services.email_changes import EmailChange
from keybearer.server.web.notices import Notice
from keybearer.server.web.visit import Visit


async def show_form(visit: Visit) -> Response:
    """The form for another email. If the server sends no mail, who can change it."""
    return await _form(visit)


async def _form(visit: Visit, refusal: Refused | None = None) -> Response:
    keys = await key_lists.find_all(visit.context, visit.caller)
    return visit.render_form("account/email.html", refusal, keys=keys, email=visit.text("email"))


async def request(visit: Visit) -> Response:
    """Send the link. The answer is the same if somebody has that address."""
    try:
        await email_changes.request(visit.context, visit.caller, visit.text("email"), visit.password("password"))
    except Refused as refusal:
        return await _form(visit, refusal)
    return visit.redirect("/settings/account/", notice=Notice.EMAIL_CHANGE_REQUESTED)


async def show_programs(visit: Visit) -> Response:
    """The programs whose zuliprc names one's email."""
    return visit.render("account/programs.html", keys=await key_lists.find_all(visit.context, visit.caller))


async def show_confirmation(visit: Visit) -> Response:
    """What the link to a new address does. Looking changes nothing."""
    return _question(visit, await email_changes.find_change(visit.context, visit.caller, visit.token()), is_undo=False)


async def confirm(visit: Visit) -> Response:
    """Change the email."""
    try:
        await email_changes.confirm(visit.context, visit.caller, visit.token())
    except Refused:
        return _invalid_link(visit)
    return visit.redirect("/settings/account/email/programs/", notice=Notice.EMAIL_CHANGED)


async def show_undo(visit: Visit) -> Response:
    """What the link to an earlier address does."""
    return _question(visit, await email_changes.find_undo(visit.context, visit.token()), is_undo=True)


async def undo(visit: Visit) -> Response:
    """Change the email back."""
    try:
        await email_changes.undo(visit.context, visit.token(), visit.origin)
    except Refused:
        return _invalid_link(visit)
    return visit.redirect("/accounts/email/undone/")


def _question(visit: Visit, found: EmailChange | None, *, is_undo: bool) -> Response:
    return _invalid_link(visit) if found is None else visit.render("email/question.html", found=found, is_undo=is_undo)


def _invalid_link(visit: Visit) -> Response:
    return visit.render("email/over.html", status=404)


async def show_undone(visit: Visit) -> Response:
    """The confirmation that the email was changed back, and what to do next."""
    return visit.render("email/undone.html")
