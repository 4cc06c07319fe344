"""Display: the theme of these pages in this browser, and one's time zone."""

from __future__ import annotations

from zoneinfo import available_timezones

from starlette.responses import Response

from keybearer.server.domain.accounts import checked_timezone
from keybearer.server.domain.errors import Refused
from keybearer.server.services import accounts
from keybearer.server.services.accounts import OwnChange
from keybearer.server.web.notices import Notice
from keybearer.server.web.visit import THEME_COOKIE, THEMES, Visit

_KEPT_FOR = 365 * 24 * 3600


async def show(visit: Visit) -> Response:
    """The form."""
    return _form(visit)


def _form(visit: Visit, refusal: Refused | None = None) -> Response:
    return visit.render_form(
        "account/display.html", refusal, themes=THEMES, zones=sorted(available_timezones()), values=visit.form
    )


async def save(visit: Visit) -> Response:
    """Store the theme in a cookie of this browser, and the time zone with the account."""
    try:
        theme = _theme(visit)
        wanted = OwnChange(timezone=checked_timezone(visit.text("timezone")))
        await accounts.change_own(visit.context, visit.caller, wanted)
    except Refused as refusal:
        return _form(visit, refusal)
    response = visit.redirect("/settings/account/", notice=Notice.DISPLAY_SAVED)
    if theme:
        visit.set_cookie(response, THEME_COOKIE, theme, max_age=_KEPT_FOR)
    else:
        visit.delete_cookie(response, THEME_COOKIE)
    return response


def _theme(visit: Visit) -> str:
    """The chosen theme. Empty for the device's theme."""
    theme = visit.text("theme")
    if theme and theme not in THEMES:
        raise Refused("There is no such theme.")
    return theme
