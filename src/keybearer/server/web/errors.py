"""Pages for what went wrong: what it is, and where to go on."""

from __future__ import annotations

import math

from starlette.responses import Response

from keybearer.server.domain.errors import NotPermitted, Refused, TooManyAttempts
from keybearer.server.middleware.csrf import CSRFFailed
from keybearer.server.web.visit import Visit

_NOTHING_THERE = {
    "No such bot": "There is no such bot. The address may be mistyped.",
    "No such user": "There is no such user. The address may be mistyped.",
    "No such invitation": "There is no such invitation any more: it was used or withdrawn.",
}
_ASK = "If you need this, ask an administrator of the organization."


def not_found(visit: Visit) -> Response:
    """The page for an address where nothing is."""
    return error_page(visit, 404, "There is nothing here", "The address may be mistyped, or the page is gone.")


def error_page(visit: Visit, status: int, title: str, message: str) -> Response:
    """A page that says what is wrong and leads on."""
    return visit.render("error.html", status=status, title=title, message=message)


def refusal_page(visit: Visit, refusal: Refused) -> Response:
    """The page for what a rule forbids where no form of the page can say it."""
    if isinstance(refusal, CSRFFailed):
        return error_page(
            visit,
            403,
            "This page was open for too long",
            f"Nothing was changed. Please go back, reload the page and try again. ({refusal.message})",
        )
    if isinstance(refusal, TooManyAttempts):
        response = error_page(visit, 429, "Too many attempts", refusal.message)
        response.headers["retry-after"] = str(math.ceil(refusal.retry_after))
        return response
    if isinstance(refusal, NotPermitted):
        return error_page(visit, 403, "You may not do this", f"{refusal.message.rstrip('.')}. {_ASK}")
    if refusal.message in _NOTHING_THERE:
        return error_page(visit, 404, "There is nothing here", _NOTHING_THERE[refusal.message])
    return error_page(visit, 400, "That did not work", refusal.message)
