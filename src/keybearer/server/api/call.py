"""A call of an endpoint, as its handler sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from keybearer.server.api.answers import Answer
from keybearer.server.api.parameters import LARGEST, Parameters
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.realms import Realm
from keybearer.server.middleware.authentication import Admitted
from keybearer.server.services.context import Context


class Call(msgspec.Struct, frozen=True):
    """The call: `host` is what the client asked for, `ids` are the numbers and names out of the path.

    `scheme` is that of the connection, or of the one to a trusted proxy.
    """

    context: Context
    origin: RequestOrigin
    host: str
    scheme: str
    parameters: Parameters
    ids: Mapping[str, str]
    admitted: Admitted | None = None

    @property
    def caller(self) -> Caller:
        """Who calls. Only endpoints that let nobody in unknown may ask."""
        assert self.admitted is not None
        return self.admitted.caller

    @property
    def realm(self) -> Realm:
        """The caller's organization. Only endpoints that let nobody in unknown may ask."""
        assert self.admitted is not None
        return self.admitted.realm

    @property
    def newest_message_id(self) -> int | None:
        """The newest message that the caller was sent, where it was found with the key."""
        assert self.admitted is not None
        return self.admitted.newest_message_id

    def id(self, name: str) -> int:
        """A number out of the path; 0, which nothing has as its id, where it is larger than any id."""
        digits = self.ids[name]
        return int(digits) if len(digits) < 11 and int(digits) <= LARGEST else 0


Handler = Callable[[Call], Awaitable[Answer]]
