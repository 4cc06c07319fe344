"""Forms whose answer shows what they created. Each is carried out only once."""

from __future__ import annotations

from datetime import timedelta

from keybearer.server.domain.errors import Refused

LIFETIME = timedelta(hours=12)
"""How long a form can be sent after its page was loaded."""


class AlreadySent(Refused):
    """The form was already carried out. This time nothing is changed."""

    def __init__(self) -> None:
        super().__init__(
            "You already sent this form, and its result was shown then. Nothing was changed this time. If you did not "
            "copy the result, fill in a new form."
        )


class FormTooOld(Refused):
    """The form's one-time token is missing, belongs to another session, or is too old."""

    def __init__(self) -> None:
        super().__init__("This form is too old. Nothing was changed. Please go back, reload the page and try again.")
