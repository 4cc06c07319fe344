"""The password before whatever yields a key or another credential, asked for where it was given too long ago."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.services import sessions
from keybearer.server.web.visit import Visit
from keybearer.server.web.wording import PASSWORD_FIELD, field_of


async def confirmed_caller(visit: Visit, *, once: bool = True) -> Caller:
    """Who sends a form, with a password given lately: in the form, where it asks for it. `once` is for forms that are
    carried out once.

    Raises Refused for a wrong password; without one, the transaction that acts raises PasswordNeeded.
    """
    caller = (visit.caller_once if once else visit.caller).confirmed()
    if "password" in visit.form:
        await sessions.confirm_password(visit.context, visit.caller, visit.password("password"))
        visit.note_confirmed()
    return caller


def ask_password(visit: Visit, refusal: Refused, *, button: str, back: str) -> Response:
    """What a button asks for, again, as a form with the password. Raises a refusal that is about something else."""
    if field_of(refusal) != PASSWORD_FIELD:
        raise refusal
    return visit.render_form("password/confirm.html", refusal, button=button, back=back)
