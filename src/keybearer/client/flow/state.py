"""The state of a client between calls, and the requests made from it. Pure, shared by both clients."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from keybearer._version import __version__
from keybearer.client.flow.responses import CallContext
from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.flow.steps import Request
from keybearer.client.operations.operation import Operation
from keybearer.client.operations.parameters import PREFIX, encode_parameters
from keybearer.errors import ResolutionError, UnusableRequest
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials, TLSOptions

TIMEOUT = 15.0
"""Seconds without a byte from the server after which a call counts as failed."""


@dataclass(slots=True, eq=False)
class ClientState:
    """The state of a client. `credentials` is None for a client without a key.

    `read_anew` reads the credentials again from their source, for a client whose key was replaced while it ran; None if
    there is no source. `reached` is set after the first response, `is_zulip` after the first one from a Zulip server.
    """

    site: str | None
    credentials: Credentials | None
    tls: TLSOptions = field(default_factory=TLSOptions)
    read_anew: Callable[[], Credentials] | None = None
    user_agent: str = ""
    timeout: float = TIMEOUT
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    reached: bool = False
    is_zulip: bool = False

    def required_site(self) -> str:
        """The site. Raises ResolutionError (`missing_site`) if none is set."""
        if not self.site:
            raise ResolutionError(
                "missing_site",
                "No site is set, so there is no server to connect to",
                hint="Put site=https://… into the zuliprc, set ZULIP_SITE, or pass site",
            )
        return self.site

    def request_for(self, operation: Operation[Any]) -> Request:
        """The request for the call, with the current key."""
        pairs = encode_parameters(operation.parameters)
        url = self.required_site() + PREFIX + operation.path
        in_query = operation.method in {"GET", "HEAD", "OPTIONS"}
        if in_query and pairs:
            if any(isinstance(value, Secret) for _, value in pairs):
                raise UnusableRequest(
                    "A secret cannot be sent with GET", hint="It would be in the URL, which servers and proxies log"
                )
            url += "?" + urlencode([(name, str(value)) for name, value in pairs])
        return Request(
            method=operation.method,
            url=url,
            timeout=operation.timeout or self.timeout,
            user_agent=self.user_agent,
            authorization=self._authorization() if operation.authenticated else None,
            form=None if in_query else pairs,
            files=operation.files,
        )

    def _authorization(self) -> Secret | None:
        """HTTP Basic in UTF-8 (RFC 7617), which is what Zulip decodes: an email may have any letters."""
        if self.credentials is None:
            return None
        pair = f"{self.credentials.email}:{self.credentials.api_key.reveal()}"
        return Secret("Basic " + base64.b64encode(pair.encode("utf-8", "surrogatepass")).decode("ascii"))

    def context_of(self, operation: Operation[Any]) -> CallContext:
        """What the text of an error may say about the call, and the secrets that it must not contain."""
        secrets = [value for value in operation.parameters.values() if isinstance(value, Secret)]
        if self.credentials is not None:
            secrets.append(self.credentials.api_key)
        email = self.credentials.email if self.credentials is not None and operation.authenticated else ""
        return CallContext(operation.method, operation.path, self.required_site(), email, tuple(secrets))


def user_agent(client_name: str | None = None) -> str:
    """The User-Agent header. The program's own `name/version` comes first, since Zulip shows that to people."""
    import platform  # noqa: PLC0415 - only a client needs it, not who imports one

    ours = f"Keybearer/{__version__} (Python {platform.python_version()}; {platform.system()})"
    if client_name is None:
        return ours
    if not client_name.isprintable() or not client_name.isascii() or not client_name.strip():
        raise UnusableRequest(
            "A client's name is printable ASCII text", hint="Name it like MyBot/1.0: it is sent as the User-Agent"
        )
    return f"{client_name.strip()} {ours}"


def same_account(one: Credentials, other: Credentials) -> bool:
    """Whether both are for the same account of the same site, so that one's key may replace the other's."""
    return one.email.casefold() == other.email.casefold() and one.site == other.site
