"""`settings`: what people change on their own account."""

from __future__ import annotations

from math import ceil

from keybearer.secret import Secret
from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import boolean, choice, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.accounts import EmailVisibility, checked_full_name, checked_timezone
from keybearer.server.domain.errors import Refused, TooManyAttempts
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.limits import Quota
from keybearer.server.domain.rules import PEOPLE
from keybearer.server.http.body import FORM
from keybearer.server.services import accounts, passwords
from keybearer.server.services.accounts import OwnChange


async def change(call: Call) -> Answer:
    """`PATCH settings`: the password, the name, the time zone, who sees the address, whether sign-ins are mailed."""
    parameters = call.parameters
    visibility = parameters.choice("email_address_visibility", tuple(each.value for each in EmailVisibility))
    full_name, timezone = parameters.optional_text("full_name"), parameters.optional_text("timezone")
    wanted = OwnChange(
        # Checked before the password is changed, so that a refused request changes nothing.
        full_name=None if full_name is None else checked_full_name(full_name),
        timezone=None if timezone is None else checked_timezone(timezone),
        email_visibility=None if visibility is None else EmailVisibility(visibility),
        login_mails=parameters.optional_boolean("enable_login_emails"),
    )
    old, new = parameters.optional_text("old_password"), parameters.optional_text("new_password")
    quota = await _change_password(call, Secret(old or ""), Secret(new)) if new else None
    await accounts.change_own(call.context, call.caller, wanted)
    return success().with_quota(quota)


async def _change_password(call: Call, old: Secret, new: Secret) -> Quota:
    try:
        return await passwords.change_own(call.context, call.caller, old=old, new=new)
    except TooManyAttempts as error:
        seconds = ceil(error.retry_after)
        message = f"You're making too many attempts! Try again in {seconds} seconds."
        raise Refused(message, quota=error.quota) from None


_TAKES = (
    text("old_password", "The current password."),
    text("new_password", "The new password: 8 to 128 characters, and hard to guess."),
    text("full_name", "The new name."),
    text("timezone", "The time zone, such as `Europe/Berlin`; empty for none."),
    choice(
        "email_address_visibility",
        "Who sees the address: 1 everyone, 2 members, 3 administrators, 4 nobody, 5 moderators.",
        tuple(each.value for each in EmailVisibility),
    ),
    boolean("enable_login_emails", "Whether new sign-ins are reported by mail."),
)

ENDPOINTS = (
    Endpoint.patch(
        "settings",
        change,
        PEOPLE.may(Scope.MANAGE),
        FORM,
        "Change one's own password, name and settings.",
        takes=_TAKES,
    ),
    *(
        Endpoint.patch(
            path,
            change,
            PEOPLE.may(Scope.MANAGE),
            FORM,
            "The same as `PATCH settings`, under an old name.",
            takes=_TAKES,
        )
        for path in ("settings/notifications", "settings/display")
    ),
)
