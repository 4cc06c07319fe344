"""Sessions: sign in and out, and where one is signed in."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.errors import Refused, TooManyAttempts
from keybearer.server.middleware.authentication import SESSION_COOKIE
from keybearer.server.services import sessions
from keybearer.server.web.notices import Notice
from keybearer.server.web.visit import Visit, safe_path
from keybearer.server.web.wording import refusal_words

# Not "cookies": browsers take that to mean those of the whole registrable domain, our neighbours' too. Ours are deleted
# by name.
CLEAR_SITE_DATA = '"cache", "storage"'


async def show_login(visit: Visit) -> Response:
    """The sign-in form; who is signed in already goes on."""
    wanted = safe_path(visit.query.get("next", "/"))
    if visit.caller is not None:
        return visit.redirect(wanted, status=302)
    return visit.render("login.html", username=visit.query.get("email", ""), next=wanted, error=None)


async def sign_in(visit: Visit) -> Response:
    """Open a session and go on to `next`; a session that the browser had before ends."""
    username, wanted = visit.text("username"), safe_path(visit.form.get("next", "/") or "/")
    try:
        signed_in = await sessions.sign_in(visit.context, username, visit.password("password"), visit.origin)
    except Refused as refusal:
        # As in Zulip the answer is 200: the form again, with what went wrong.
        return visit.render("login.html", username=username, next=wanted, error=_login_words(refusal, username))
    if visit.caller is not None and visit.caller.session is not None:
        await sessions.sign_out(visit.context, visit.actor, visit.caller.session.id)
    return visit.sign_in(visit.redirect(wanted, status=302), signed_in.token)


def _login_words(refusal: Refused, username: str) -> str:
    if isinstance(refusal, TooManyAttempts):
        return refusal_words(refusal)
    if refusal.code == "USER_DEACTIVATED":
        return (
            f"Your account {username} has been deactivated. Ask an administrator of the organization to reactivate it."
        )
    if refusal.code == "AUTHENTICATION_FAILED":
        return "Incorrect email or password."
    return refusal.message


async def sign_out(visit: Visit) -> Response:
    """End this session; the browser is told to forget what it has stored of us."""
    if visit.caller is not None and visit.caller.session is not None:
        await sessions.sign_out(visit.context, visit.actor, visit.caller.session.id)
    response = visit.redirect("/login/", notice=Notice.SIGNED_OUT, status=302)
    visit.delete_cookie(response, SESSION_COOKIE)
    response.headers["clear-site-data"] = CLEAR_SITE_DATA
    return response
