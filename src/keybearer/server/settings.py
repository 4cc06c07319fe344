"""The server's settings, read once from flags and the environment and passed on as one frozen value."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import limits

from keybearer.errors import SettingError
from keybearer.server.logs import FORMATS, LEVELS

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9991
DATABASE_FILE = "keybearer.db"
SECRETS_FILE = "secrets.json"

VARIABLES = {
    "data_dir": "KEYBEARER_DATA_DIR",
    "database_url": "KEYBEARER_DATABASE_URL",
    "secrets_file": "KEYBEARER_SECRETS",
    "host": "KEYBEARER_HOST",
    "port": "KEYBEARER_PORT",
    "workers": "KEYBEARER_WORKERS",
    "development": "KEYBEARER_DEVELOPMENT",
    "smtp_url": "KEYBEARER_SMTP_URL",
    "trusted_proxies": "KEYBEARER_TRUSTED_PROXIES",
    "webhook_networks": "KEYBEARER_WEBHOOK_NETWORKS",
    "api_limit": "KEYBEARER_API_LIMIT",
    "failure_limit": "KEYBEARER_FAILURE_LIMIT",
    "limits_url": "KEYBEARER_LIMITS_URL",
    "upload_quota": "KEYBEARER_UPLOAD_QUOTA",
    "log_format": "KEYBEARER_LOG_FORMAT",
    "log_level": "KEYBEARER_LOG_LEVEL",
    "log_requests": "KEYBEARER_LOG_REQUESTS",
    "metrics": "KEYBEARER_METRICS",
    "tls_cert": "KEYBEARER_TLS_CERT",
    "tls_key": "KEYBEARER_TLS_KEY",
    "tls_client_ca": "KEYBEARER_TLS_CLIENT_CA",
}
"""Setting → its environment variable."""

_DATABASE_SCHEMES = ("sqlite:///", "sqlite+aiosqlite:///", "postgresql://", "postgres://", "postgresql+asyncpg://")


@dataclass(frozen=True)
class Settings:
    """How one server runs.

    `database_url`, `smtp_url` and `limits_url` may contain passwords, so the repr leaves them out. If `database_url` is
    empty, the database is an SQLite file in the data directory; if no secrets file is set, the secrets are next to it.
    `trusted_proxies` are the networks whose X-Forwarded-* headers are trusted. `webhook_networks` are the local and
    private networks to which outgoing webhooks may be sent. The limits are in the notation of the limits package:
    `200/minute`. `limits_url` is a Redis or Valkey in which all workers and machines count together; if it is empty,
    each worker counts by itself. `upload_quota` is how many MiB all uploaded files may have together. `log_requests`
    writes a line for each request. `metrics` is the address, such as `127.0.0.1:9992`, at which Prometheus finds the
    metrics; if it is empty, nothing is measured.

    Raises SettingError for a value that cannot be used.
    """

    data_dir: Path
    database_url: str = field(default="", repr=False)
    secrets_file: Path = Path()
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    workers: int = 1
    development: bool = False
    smtp_url: str | None = field(default=None, repr=False)
    trusted_proxies: tuple[Network, ...] = ()
    webhook_networks: tuple[Network, ...] = ()
    api_limit: str = "200/minute"
    failure_limit: str = "60/minute"
    limits_url: str = field(default="", repr=False)
    upload_quota: int = 10_240
    log_format: str = "text"
    log_level: str = "info"
    log_requests: bool = False
    metrics: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None

    def __post_init__(self) -> None:
        # A frozen value is completed here, before anybody can see it.
        if not self.database_url:
            path = quote(str(self.data_dir.absolute() / DATABASE_FILE))
            object.__setattr__(self, "database_url", f"sqlite:///{path}")
        if self.secrets_file == Path():
            object.__setattr__(self, "secrets_file", self.data_dir / SECRETS_FILE)
        self._check()

    def _check(self) -> None:
        if not self.database_url.startswith(_DATABASE_SCHEMES):
            raise SettingError(
                VARIABLES["database_url"],
                "Keybearer does not know this kind of database address",
                hint="Write sqlite:////path/to/keybearer.db or postgresql://user:password@host/database.",
            )
        if not 0 <= self.port <= 65535:
            raise SettingError(VARIABLES["port"], f"{self.port} is not a port", hint="Ports go from 0 to 65535.")
        if self.workers < 1:
            raise SettingError(
                VARIABLES["workers"], f"{self.workers} is not a number of workers", hint="Use 1 or more."
            )
        if self.upload_quota < 1:
            raise SettingError(
                VARIABLES["upload_quota"], f"{self.upload_quota} MiB is too little for a file", hint="Use 1 or more."
            )
        for name, words in (("log_format", FORMATS), ("log_level", LEVELS)):
            if getattr(self, name) not in words:
                raise SettingError(
                    VARIABLES[name], f"{getattr(self, name)!r} is unknown", hint=f"Write one of: {', '.join(words)}."
                )
        for name in ("api_limit", "failure_limit"):
            parse_limit(VARIABLES[name], getattr(self, name))
        self._check_addresses()
        if (self.tls_cert is None) != (self.tls_key is None):
            missing = "tls_key" if self.tls_key is None else "tls_cert"
            raise SettingError(
                VARIABLES[missing], "TLS needs both a certificate and its key", hint="Set both, or neither."
            )
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise SettingError(
                VARIABLES["tls_client_ca"],
                "client certificates can be required only over TLS",
                hint="Set a certificate and its key too.",
            )

    def _check_addresses(self) -> None:
        if self.metrics and not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):[0-9]{1,5}", self.metrics):
            raise SettingError(
                VARIABLES["metrics"],
                f"{self.metrics!r} is not an address to listen on",
                hint="Write a host and a port, such as 127.0.0.1:9992.",
            )
        if self.limits_url and not re.match(r"((redis|valkey)s?://[^/]|(redis|valkey)\+unix:///)", self.limits_url):
            raise SettingError(
                VARIABLES["limits_url"],
                "this is not the address of a Redis or Valkey",
                hint="Write redis://user:password@host:port/0, rediss:// for TLS, or valkey://host.",
            )
        if self.smtp_url is not None and not re.match(r"(smtp|smtp\+starttls|smtps)://[^/]", self.smtp_url):
            raise SettingError(
                VARIABLES["smtp_url"],
                "this is not the address of a mail server",
                hint="Write smtp+starttls://user:password@host:port, smtps:// for TLS from the start, or smtp://host:port.",
            )

    @property
    def calls_of_account(self) -> Limit:
        """How many calls an account may make (`api_limit`)."""
        return parse_limit(VARIABLES["api_limit"], self.api_limit)

    @property
    def failures_of_address(self) -> Limit:
        """How many failed keys an address may send (`failure_limit`)."""
        return parse_limit(VARIABLES["failure_limit"], self.failure_limit)

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """The host and port of the metrics. None if nothing is measured."""
        host, _, port = self.metrics.rpartition(":")
        return (host.strip("[]"), int(port)) if self.metrics else None

    @property
    def uses_tls(self) -> bool:
        """Whether the server itself speaks TLS. A proxy in front of it may do so even if this is false."""
        return self.tls_cert is not None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], **overrides: Any) -> Settings:  # noqa: ANN401  one type per field
        """The settings in `environ`. `overrides` (flags) take precedence if they are not None.

        An empty variable counts as unset. If no secrets file is set, it is systemd's credential `secrets.json`, if the
        unit has one.
        """
        unknown = overrides.keys() - VARIABLES.keys()
        if unknown:
            raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
        values = {name: value for name, value in overrides.items() if value is not None}
        for name, variable in VARIABLES.items():
            if name not in values and environ.get(variable):
                values[name] = _PARSERS.get(name, _text)(variable, environ[variable])
        if "data_dir" not in values:
            values["data_dir"] = default_data_dir(environ)
        if "secrets_file" not in values and (credential := _credential(environ)) is not None:
            values["secrets_file"] = credential
        return cls(**values)

    def to_environ(self) -> dict[str, str]:
        """The variables from which `from_environ` makes these settings again, with "" for unset ones."""
        return {VARIABLES[each.name]: _as_text(getattr(self, each.name)) for each in fields(self)}


def without_password(url: str) -> str:
    """The address of a database or a mail server with PASSWORD in place of a password."""
    url = re.sub(r"^([^:/]+://[^:@/]*:)[^/]+(?=@)", r"\1PASSWORD", url)
    return re.sub(r"(?<=[?&]password=)[^&]*", "PASSWORD", url)


_WITHIN_NO_TIME = re.compile(r"(/|per)\s*0+(?!\d)", re.IGNORECASE)


class Limit(NamedTuple):
    """This many calls within this many seconds."""

    amount: int
    seconds: int


def parse_limit(variable: str, text: str) -> Limit:
    """A limit in the notation of the limits package, such as `200/minute`.

    Raises SettingError, which names `variable`.
    """
    try:
        (item,) = limits.parse_many(text)
    except ValueError:
        item = None
    # The package reads `200/0 minutes` as `200/minute`.
    if item is None or item.amount < 1 or _WITHIN_NO_TIME.search(text):
        raise SettingError(
            variable, f"{text!r} is not a limit", hint="Write a number of calls and a time, as in 200/minute."
        )
    return Limit(item.amount, item.get_expiry())


PREFIX = "KEYBEARER_"
OTHER_VARIABLES = ("KEYBEARER_TRACEBACK", "KEYBEARER_COMPLETE")
"""Variables of the command line that are not settings of the server."""


def unknown_variables(environ: Mapping[str, str]) -> Mapping[str, str | None]:
    """The variables in `environ` that begin like Keybearer's but are unknown, each with the one that was probably
    meant.
    """
    known = [*VARIABLES.values(), *OTHER_VARIABLES]
    unknown = [name for name in sorted(environ) if name.startswith(PREFIX) and name not in known]
    return {name: _closest(name, known) for name in unknown}


def _closest(name: str, known: Sequence[str]) -> str | None:
    # Without the common prefix, which would make any two names similar.
    found = get_close_matches(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known], n=1)
    return f"{PREFIX}{found[0]}" if found else None


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/keybearer`, by the XDG rules: a relative path there is ignored."""
    home = environ.get("XDG_DATA_HOME", "")
    base = Path(home) if home and Path(home).is_absolute() else Path(environ.get("HOME") or Path.home(), ".local/share")
    return base / "keybearer"


def _credential(environ: Mapping[str, str]) -> Path | None:
    """The secrets file among a unit's systemd credentials. None if there is none."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory, SECRETS_FILE) if directory else None
    return path if path is not None and path.exists() else None


def _text(_variable: str, text: str) -> str:
    return text


def _word(_variable: str, text: str) -> str:
    return text.strip().lower()


def _path(_variable: str, text: str) -> Path:
    return Path(text).expanduser()


def _number(variable: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingError(variable, f"{text!r} is not a number") from None


def _flag(variable: str, text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.strip().lower() not in words:
        raise SettingError(variable, f"{text!r} is neither yes nor no", hint="Write 1 or 0.")
    return words[text.strip().lower()]


def _networks(variable: str, text: str) -> tuple[Network, ...]:
    networks = []
    for each in text.replace(",", " ").split():
        try:
            networks.append(ipaddress.ip_network(each))
        except ValueError as error:
            raise SettingError(
                variable, f"{error}", hint="Separate addresses or networks with commas: 10.0.0.0/8, ::1."
            ) from None
    return tuple(networks)


_PARSERS: dict[str, Callable[[str, str], object]] = {
    "data_dir": _path,
    "secrets_file": _path,
    "port": _number,
    "workers": _number,
    "upload_quota": _number,
    "development": _flag,
    "log_format": _word,
    "log_level": _word,
    "log_requests": _flag,
    "trusted_proxies": _networks,
    "webhook_networks": _networks,
    "tls_cert": _path,
    "tls_key": _path,
    "tls_client_ca": _path,
}


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return os.fspath(value) if isinstance(value, Path) else str(value)
