"""Sessions: sign in and out, and see where one is signed in."""

from __future__ import annotations

import contextlib

from starlette.responses import Response

from keybearer.server.domain.errors import NewPasswordNeeded, Refused
from keybearer.server.services import api_keys, devices, sessions
from keybearer.server.web.notices import Notice
from keybearer.server.web.visit import Visit, safe_path

PAGE = "/settings/sessions/"


async def show_login(visit: Visit) -> Response:
    """The sign-in form. A visitor who is already signed in is redirected."""
    wanted = safe_path(visit.query.get("next", "/"))
    if visit.account is not None:
        return visit.redirect(wanted, status=302)
    return visit.render_form("login.html", username=visit.query.get("email", ""), next=wanted)


async def sign_in(visit: Visit) -> Response:
    """Open a session and redirect to `next`. An earlier session of the browser ends."""
    username, wanted = visit.text("username"), safe_path(visit.form.get("next", "/") or "/")
    try:
        signed_in = await sessions.sign_in(visit.context, username, visit.password("password"), visit.origin)
    except NewPasswordNeeded as needed:
        return visit.redirect(f"/accounts/password/reset/{needed.token.reveal()}/", status=302)
    except Refused as refusal:
        # As in Zulip the status is 200: the form again, with what went wrong.
        return visit.render("login.html", username=username, next=wanted, error=_login_words(refusal, username))
    await _end_this(visit)
    notice = Notice.RESET_LINK_MADE if signed_in.reset_link_made else None
    return visit.sign_in(visit.redirect(wanted, notice=notice, status=302), signed_in.token)


def _login_words(refusal: Refused, username: str) -> str:
    if refusal.code == "USER_DEACTIVATED":
        return (
            f"Your account {username} has been deactivated. Ask an administrator of the organization to reactivate it."
        )
    if refusal.code == "AUTHENTICATION_FAILED":
        return "Incorrect email or password."
    return refusal.message


async def sign_out(visit: Visit) -> Response:
    """End this session."""
    await _end_this(visit)
    return visit.signed_out(notice=Notice.SIGNED_OUT)


async def _end_this(visit: Visit) -> None:
    """End the session of the browser, if it has one that has not already ended."""
    if visit.session is not None:
        with contextlib.suppress(Refused):
            await sessions.sign_out(visit.context, visit.caller, visit.session.id)


async def show_all(visit: Visit) -> Response:
    """Where one is signed in, and the registered mobile devices."""
    session = visit.session
    return visit.render(
        "sessions/show.html",
        sessions=await sessions.find_all(visit.context, visit.caller),
        current=session,
        devices=await devices.find_all(visit.context, visit.caller),
        key=await api_keys.find_own_record(visit.context, visit.caller),
    )


async def end(visit: Visit) -> Response:
    """Sign one browser out. This browser is signed out as by the button for it."""
    session_id = visit.id("session_id")
    await sessions.sign_out(visit.context, visit.caller, session_id)
    if visit.session is not None and visit.session.id == session_id:
        return visit.signed_out(notice=Notice.SIGNED_OUT)
    return visit.redirect(PAGE, notice=Notice.SESSION_ENDED)


async def end_others(visit: Visit) -> Response:
    """Sign all other browsers out."""
    await sessions.sign_out_everywhere(visit.context, visit.caller)
    return visit.redirect(PAGE, notice=Notice.SESSIONS_ENDED)
