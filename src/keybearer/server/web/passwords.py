"""Passwords: change one's own, or choose a new one with a link that is sent by mail."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.paging import PER_PAGE
from keybearer.server.services import key_lists, passwords
from keybearer.server.web.notices import Notice
from keybearer.server.web.visit import Visit

NOT_EQUAL = "The two passwords are not the same."


async def show_change(visit: Visit) -> Response:
    """The form for another password."""
    return await _form(visit)


async def _form(visit: Visit, refusal: Refused | None = None, *, replaces_key: bool = False) -> Response:
    """The form, with what a new API key would end."""
    ending = await key_lists.find_ending(visit.context, visit.caller, limit=PER_PAGE)
    return visit.render_form("account/password.html", refusal, replaces_key=replaces_key, ending=ending)


async def change(visit: Visit) -> Response:
    """Change the password and, if requested, replace the API key with it."""
    replaces_key = visit.form.get("replace_key") == "on"
    try:
        _check_equal(visit)
        await passwords.change_own(
            visit.context,
            visit.caller,
            old=visit.password("old_password"),
            new=visit.password("new_password1"),
            replaces_key=replaces_key,
        )
    except Refused as refusal:
        return await _form(visit, refusal, replaces_key=replaces_key)
    notice = Notice.PASSWORD_AND_KEY_CHANGED if replaces_key else Notice.PASSWORD_CHANGED
    return visit.redirect("/settings/account/", notice=notice)


def _check_equal(visit: Visit) -> None:
    if visit.password("new_password1") != visit.password("new_password2"):
        raise Refused(NOT_EQUAL)


async def show_request(visit: Visit) -> Response:
    """The form to request a link by mail. If the server sends no mail, whom to ask."""
    if not visit.sends_mail:
        return visit.render("password/without_mail.html")
    email = visit.account.delivery_email if visit.account else ""
    return visit.render_form("password/request.html", email=email)


async def request(visit: Visit) -> Response:
    """Send the link, if the account exists. The answer is the same if it does not."""
    if not visit.sends_mail:
        return visit.render("password/without_mail.html")
    email = visit.text("email")
    try:
        await passwords.request_reset(visit.context, email, visit.origin)
    except Refused as refusal:
        return visit.render_form("password/request.html", refusal, email=email)
    return visit.redirect("/accounts/password/reset/done/", status=302)


async def show_requested(visit: Visit) -> Response:
    """What happens next."""
    return visit.render("password/requested.html" if visit.sends_mail else "password/without_mail.html")


async def show_reset(visit: Visit) -> Response:
    """The form behind the link. If the link is used or too old, why there is none."""
    account = await passwords.find_reset(visit.context, visit.token())
    if account is None:
        return visit.render("password/over.html", status=404)
    return visit.render_form("password/reset.html", account=account)


async def reset(visit: Visit) -> Response:
    """Set the new password. A link signs nobody in."""
    account = await passwords.find_reset(visit.context, visit.token())
    if account is None:
        return visit.render("password/over.html", status=404)
    try:
        _check_equal(visit)
        await passwords.reset(visit.context, visit.token(), visit.password("new_password1"), visit.origin)
    except Refused as refusal:
        return visit.render_form("password/reset.html", refusal, account=account)
    return visit.redirect("/accounts/password/done/", status=302)


async def show_done(visit: Visit) -> Response:
    """The confirmation that the new password is set."""
    return visit.render("password/done.html")
