"""Forms whose answer shows what they made: each is carried out once."""

from __future__ import annotations

from datetime import timedelta

from keybearer.server.domain.errors import Refused

LIFETIME = timedelta(hours=12)
"""From the page with the form until it can no longer be sent."""


class AlreadySent(Refused):
    """The form was carried out before; this time nothing is changed."""

    def __init__(self) -> None:
        super().__init__(
            "You sent this form before, and what it made was shown then. Nothing was changed this time. If you did not "
            "copy what was shown, make another one."
        )


class FormTooOld(Refused):
    """The form's one-time token is missing, of another session, or too old."""

    def __init__(self) -> None:
        super().__init__("This form is too old. Nothing was changed. Please go back, reload the page and try again.")
