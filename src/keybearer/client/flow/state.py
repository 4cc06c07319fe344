"""What a client knows and remembers between calls. Pure, shared by both clients."""

from __future__ import annotations

import base64
import platform
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


@dataclass(slots=True)
class ClientState:
    """The state of a client. `credentials` is None for calls before there is a key.

    `read_anew` reads the credentials again from where they came, for a client whose key was replaced while it ran;
    None where there is no such place. `reached` and `is_zulip` remember that a call has had an answer, and one of
    Zulip's.
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
        """The site. Raises ResolutionError (`missing_site`) where none is set: there is nowhere to connect to."""
        if not self.site:
            raise ResolutionError(
                "missing_site",
                "No site is set, so there is no server to connect to",
                hint="Put site=https://… into the zuliprc, set ZULIP_SITE, or pass site",
            )
        return self.site

    def request_for(self, operation: Operation[Any]) -> Request:
        """The request that makes the call, with the key in force."""
        pairs = encode_parameters(operation.parameters)
        url = self.required_site() + PREFIX + operation.path
        in_query = operation.method in {"GET", "HEAD", "OPTIONS"}
        if in_query and pairs:
            if any(isinstance(value, Secret) for _, value in pairs):
                raise UnusableRequest(
                    "A secret is not sent with GET", hint="It would stand in the URL, which servers and proxies log"
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
        """What the text of an error may say about the call, and what it must not."""
        secrets = [value for value in operation.parameters.values() if isinstance(value, Secret)]
        if self.credentials is not None:
            secrets.append(self.credentials.api_key)
        email = self.credentials.email if self.credentials is not None and operation.authenticated else ""
        return CallContext(operation.method, operation.path, self.required_site(), email, tuple(secrets))


def user_agent(client_name: str | None = None) -> str:
    """The User-Agent header: the program's own `name/version` first, since Zulip shows that one to people."""
    ours = f"Keybearer/{__version__} (Python {platform.python_version()}; {platform.system()})"
    if client_name is None:
        return ours
    if not client_name.isprintable() or not client_name.isascii() or not client_name.strip():
        raise UnusableRequest(
            "A client's name is printable ASCII text", hint="Name it like MyBot/1.0: it is sent as the User-Agent"
        )
    return f"{client_name.strip()} {ours}"


def same_account(one: Credentials, other: Credentials) -> bool:
    """Whether both are about one account of one site, so that one's key may stand in for the other's."""
    return one.email.casefold() == other.email.casefold() and one.site == other.site
