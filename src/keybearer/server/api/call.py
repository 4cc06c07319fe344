"""A call of an endpoint, as its handler sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import final

from keybearer.server.api.answers import Answer
from keybearer.server.api.parameters import LARGEST, Parameters
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.realms import Realm
from keybearer.server.http.admission import Admission
from keybearer.server.http.request import Request
from keybearer.server.services.context import Context


@final
class Call:
    """An admitted request, with its parameters as Zulip reads them."""

    __slots__ = ("_admission", "context", "parameters", "request")

    def __init__(self, admission: Admission, parameters: Parameters) -> None:
        self._admission = admission
        self.context: Context = admission.context
        self.request: Request = admission.request
        self.parameters = parameters

    @property
    def caller(self) -> Caller:
        """Who calls. Only endpoints that ask who it is may ask."""
        return self._admission.caller

    @property
    def realm(self) -> Realm:
        """The caller's organization. Only endpoints that ask who calls may ask."""
        assert self._admission.identified is not None
        return self._admission.identified.realm

    @property
    def newest_message_id(self) -> int | None:
        """The newest message that the caller was sent, where it was found with the key."""
        assert self._admission.identified is not None
        return self._admission.identified.newest_message_id

    @property
    def origin(self) -> RequestOrigin:
        """The client's address and name."""
        return self.request.origin

    @property
    def ids(self) -> Mapping[str, str]:
        """The numbers and names out of the path."""
        return self._admission.ids

    def id(self, name: str) -> int:
        """A number out of the path; 0, which nothing has as its id, where it is larger than any id."""
        digits = self.ids[name]
        return int(digits) if len(digits) < 11 and int(digits) <= LARGEST else 0


Handler = Callable[[Call], Awaitable[Answer]]
