"""What a zuliprc says, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field

from keybearer.secret import Secret


@dataclass(frozen=True, slots=True)
class TLSOptions:
    """How to meet the server over TLS. Paths are absolute; whether they exist was checked, their content was not."""

    client_cert: str | None = None
    client_cert_key: str | None = None
    cert_bundle: str | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account's credentials.

    `site` is normalised (`https://chat.example.com`, no trailing slash, no `/api`) or None where none is set.
    `token` is an outgoing webhook bot's service token, None for everybody else.
    """

    email: str
    api_key: Secret
    site: str | None = None
    token: Secret | None = None
    tls: TLSOptions = field(default_factory=TLSOptions)
