"""FIELDS: the one table of all settings, their names and their meaning.

Parser, resolver, writer, `show`, `doctor`, `--help` and the reference page use it. Settings are shown in its order. A
new setting also needs: ResolveArguments below, an attribute of TLSOptions or Credentials, an argument of `resolve()`,
and a line in `resolver`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.values import Surroundings, parse_boolean, parse_path, parse_secret, parse_site, parse_text

T = TypeVar("T")

SECTION = "api"
"""The section of a zuliprc that has the settings."""


class Field(NamedTuple, Generic[T]):
    """One setting.

    `name` is the key in the file, `aliases` are other keys for the same setting. `written` returns the text for a file,
    None for a setting that these credentials do not have.
    `variable` is the environment variable, `argument` the argument of `resolve()`, `options` those of the command
    line, each empty if there is none. `metavar` is the value's name in `--help`, empty for a switch.
    `mistaken` are other variables that people set by mistake instead of this one;
    `fallbacks` are variables of other programs that are used if nothing of ours sets it.
    """

    name: str
    meaning: str
    parser: Callable[[str, Surroundings], T]
    written: Callable[[Credentials], str | None]
    aliases: tuple[str, ...] = ()
    variable: str = ""
    argument: str = ""
    options: tuple[str, ...] = ()
    metavar: str = ""
    required: bool = False
    secret: bool = False
    mistaken: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()

    @property
    def file_keys(self) -> tuple[str, ...]:
        """The keys that a file may use for it, the documented one first."""
        return (self.name, *self.aliases)


KEY = Field(
    name="key",
    meaning="The API key of the account.",
    parser=parse_secret,
    written=lambda credentials: credentials.api_key.reveal(),
    variable="ZULIP_API_KEY",
    argument="api_key",
    options=("--api-key",),
    metavar="KEY",
    required=True,
    secret=True,
    mistaken=("ZULIP_KEY", "ZULIP_APIKEY", "ZULIP_API_TOKEN", "ZULIP_SECRET"),
)
EMAIL = Field(
    name="email",
    meaning="The email of the account that the key belongs to.",
    parser=parse_text,
    written=lambda credentials: credentials.email,
    variable="ZULIP_EMAIL",
    argument="email",
    options=("--email", "--user"),
    metavar="EMAIL",
    required=True,
    mistaken=("ZULIP_USER", "ZULIP_USERNAME", "ZULIP_LOGIN", "ZULIP_MAIL", "ZULIP_E_MAIL"),
)
SITE = Field(
    name="site",
    meaning="The address of the organization, such as https://chat.example.com.",
    parser=parse_site,
    written=lambda credentials: credentials.site,
    variable="ZULIP_SITE",
    argument="site",
    options=("--site",),
    metavar="URL",
    mistaken=("ZULIP_URL", "ZULIP_SERVER", "ZULIP_SERVER_URL", "ZULIP_REALM", "ZULIP_HOST", "ZULIP_BASE_URL"),
)
CLIENT_CERT_KEY = Field(
    name="client_cert_key",
    meaning="File with the private key of the client certificate, if it is not in `client_cert`.",
    parser=parse_path,
    written=lambda credentials: credentials.tls.client_cert_key,
    variable="ZULIP_CERT_KEY",
    argument="client_cert_key",
    options=("--client-cert-key",),
    metavar="FILE",
    mistaken=("ZULIP_CLIENT_CERT_KEY",),
)
CLIENT_CERT = Field(
    name="client_cert",
    meaning="File with a client certificate, for servers that ask for one.",
    parser=parse_path,
    written=lambda credentials: credentials.tls.client_cert,
    variable="ZULIP_CERT",
    argument="client_cert",
    options=("--client-cert",),
    metavar="FILE",
    mistaken=("ZULIP_CLIENT_CERT",),
)
CLIENT_BUNDLE = Field(
    name="client_bundle",
    meaning="File or directory with the certificates to trust: the server's own, or those of its authorities.",
    parser=parse_path,
    written=lambda credentials: credentials.tls.cert_bundle,
    aliases=("cert_bundle",),
    variable="ZULIP_CERT_BUNDLE",
    argument="cert_bundle",
    options=("--cert-bundle",),
    metavar="PATH",
    mistaken=("ZULIP_CLIENT_BUNDLE", "ZULIP_CA_BUNDLE"),
    fallbacks=("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
INSECURE = Field(
    name="insecure",
    meaning="Do not check the server's certificate. If it is true, anybody on the network can read the key.",
    parser=parse_boolean,
    written=lambda credentials: "true" if credentials.tls.insecure else None,
    variable="ZULIP_ALLOW_INSECURE",
    argument="insecure",
    options=("--insecure/--no-insecure",),
    mistaken=("ZULIP_INSECURE", "ZULIP_ALLOW_INSECURE_HTTP"),
)
TOKEN = Field(
    name="token",
    meaning="The token with which the server calls an outgoing webhook bot.",
    parser=parse_secret,
    written=lambda credentials: credentials.token.reveal() if credentials.token else None,
    secret=True,
)
PASSCMD = Field(
    name="passcmd",
    meaning="A command that prints the API key, instead of `key`. It is run once, when needed, without a shell.",
    parser=parse_secret,
    written=lambda credentials: None,
    secret=True,
)

FIELDS: Mapping[str, Field[Any]] = MappingProxyType(
    {
        field.name: field
        for field in (KEY, EMAIL, SITE, CLIENT_CERT_KEY, CLIENT_CERT, CLIENT_BUNDLE, INSECURE, TOKEN, PASSCMD)
    }
)
"""Every setting by its name."""

WRITTEN_ORDER = (CLIENT_CERT, CLIENT_CERT_KEY, EMAIL, KEY, SITE, TOKEN, CLIENT_BUNDLE, INSECURE)
"""The settings in the order of a new file: Zulip's own, and before and after them those that its web app never writes.

`client_cert_key` goes before `key`, because some programs search for `key=` anywhere in a line and use the last one.
"""

BY_FILE_KEY: Mapping[str, Field[Any]] = MappingProxyType(
    {key: field for field in FIELDS.values() for key in field.file_keys}
)
"""Every setting, by each key that a file may use for it."""


class Locator(NamedTuple):
    """A way to select the file that is read. Its attributes have the meaning of those of Field.

    Arguments go before variables, and `config_file` goes before `profile`.
    """

    argument: str
    variable: str
    options: tuple[str, ...]
    metavar: str
    meaning: str
    mistaken: tuple[str, ...] = ()


CONFIG_FILE = Locator(
    argument="config_file",
    variable="ZULIP_CONFIG",
    options=("--config-file", "--config", "-c"),
    metavar="FILE",
    meaning="The zuliprc to read instead of ~/.zuliprc; - is standard input.",
    mistaken=("ZULIP_CONFIG_FILE", "ZULIP_RC", "ZULIP_RC_PATH", "ZULIPRC"),
)
PROFILE = Locator(
    argument="profile",
    variable="ZULIP_PROFILE",
    options=("--profile",),
    metavar="NAME",
    meaning="The profile to use: the file NAME.zuliprc in the directory `zulip` of the user's configuration.",
)
LOCATORS = (CONFIG_FILE, PROFILE)


class ResolveArguments(TypedDict, total=False):
    """The arguments of `resolve()`, which the clients take too. None means not given."""

    config_file: str | os.PathLike[str] | None
    email: str | None
    api_key: str | Secret | None
    site: str | None
    client_cert: str | os.PathLike[str] | None
    client_cert_key: str | os.PathLike[str] | None
    cert_bundle: str | os.PathLike[str] | None
    insecure: bool | str | None
    profile: str | None
    environ: Mapping[str, str] | None
    strict: bool
