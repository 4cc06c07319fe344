"""Asks for the password before an action that reveals a key or another credential, if it was given too long ago."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.services import sessions
from keybearer.server.web.visit import Visit
from keybearer.server.web.wording import PASSWORD_FIELD, field_of


async def confirmed_caller(visit: Visit, *, once: bool = True) -> Caller:
    """The sender of a form, with a recent password: from the form, if it asks for one. `once` is for forms that are
    carried out once.

    Raises Refused for a wrong password. Without one, the transaction that acts raises PasswordNeeded.
    """
    caller = (visit.caller_once if once else visit.caller).confirmed()
    await confirm_if_given(visit)
    return caller


async def confirm_if_given(visit: Visit) -> None:
    """Check the password of a form that asks for it only if the service needs it. Raises Refused for a wrong one."""
    if "password" in visit.form:
        await sessions.confirm_password(visit.context, visit.caller, visit.password("password"))
        visit.note_confirmed()


def ask_password(visit: Visit, refusal: Refused, *, button: str, back: str) -> Response:
    """The request of a button again, as a form with the password. Raises a refusal that is about something else."""
    if field_of(refusal) != PASSWORD_FIELD:
        raise refusal
    return visit.render_form("password/confirm.html", refusal, button=button, back=back)
