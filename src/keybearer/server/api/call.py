"""A call of an endpoint, as its handler sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import final

from keybearer.server.api.answers import Answer
from keybearer.server.api.parameters import LARGEST, Parameters
from keybearer.server.domain.realms import Realm
from keybearer.server.http.admission import Admission, Admitted


@final
class Call(Admitted):
    """A call of an endpoint, with its parameters as Zulip reads them."""

    __slots__ = ("parameters",)

    def __init__(self, admission: Admission, parameters: Parameters) -> None:
        super().__init__(admission)
        self.parameters = parameters

    @property
    def realm(self) -> Realm:
        """The caller's organization. Only for endpoints that require a known caller."""
        assert self._admission.identified is not None
        return self._admission.identified.realm

    @property
    def newest_message_id(self) -> int | None:
        """The newest message that was sent to the caller, if it was found together with the key."""
        assert self._admission.identified is not None
        key = self._admission.identified.key
        # If there may be a body, time has passed since the key was checked.
        return None if key is None or self.request.changes_something else key.newest_message_id

    @property
    def raw_body(self) -> bytes:
        """The body as it arrived, if the route keeps it."""
        return self._admission.fields.raw

    def id(self, name: str) -> int:
        """A number from the path. It is 0, which is never an id, if the number is larger than any id."""
        digits = self.ids[name]
        return int(digits) if len(digits) < 11 and int(digits) <= LARGEST else 0


Handler = Callable[[Call], Awaitable[Answer]]
