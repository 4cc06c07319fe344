"""The reference pages of the server's settings and of the errors, made from the code.

`python -m tests.docs.references` writes them again.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, fields

from keybearer import errors
from keybearer.cli.commands.serve import serve
from keybearer.server.settings import VARIABLES, Settings
from tests.docs.blocks import DOCS

SETTINGS_PAGE = DOCS / "reference" / "server-settings.md"
ERRORS_PAGE = DOCS / "reference" / "errors.md"

MEANINGS = {
    "data_dir": "The directory for all data: the database, if it is a file, and the secrets.",
    "database_url": "`postgresql://user:password@host/database`, instead of the file `keybearer.db`. Put a password "
    "only into the variable. [PostgreSQL](../how-to/postgresql.md)",
    "secrets_file": "The secrets file, if it is not `secrets.json` in the data directory.",
    "host": "The address to listen on. `0.0.0.0` means all addresses of the machine.",
    "port": "The port to listen on.",
    "workers": "The number of worker processes.",
    "development": "`1` lets anybody sign in without a password (`dev_fetch_api_key`). Never use it for real data.",
    "smtp_url": "The mail server. Without it, mails wait for `keybearer admin outbox`. [Mail](../how-to/mail.md)",
    "trusted_proxies": "Networks whose `X-Forwarded-*` headers are trusted, separated by commas. "
    "[Behind a proxy](../how-to/behind-a-proxy.md)",
    "webhook_networks": "Private networks, or those of this machine, to which outgoing webhooks may be sent.",
    "api_limit": "Calls that an account may make.",
    "failure_limit": "Failed keys that an address may send.",
    "limits_url": "A Redis or Valkey that counts calls for all workers and machines. Without it, each worker counts on "
    "its own. [Several machines](../how-to/several-machines.md)",
    "upload_quota": "The most MiB of all uploaded files together. One account may use a tenth of it.",
    "log_format": "`text` or `json`.",
    "log_level": "`debug`, `info`, `warning` or `error`.",
    "log_requests": "`1` writes a line for each request.",
    "metrics": "The address of the metrics, such as `127.0.0.1:9992`. Without it, nothing is measured. "
    "[Watch a server](../how-to/watch-a-server.md)",
    "tls_cert": "A certificate with its chain (PEM). The server then uses TLS. [TLS](../how-to/tls.md)",
    "tls_key": "The certificate's key (PEM).",
    "tls_client_ca": "Only clients with a certificate from this authority (PEM) are accepted.",
}
"""The meaning of each setting. A test compares the names with those in the code."""

DEFAULTS = {"data_dir": "`$XDG_DATA_HOME/keybearer`, else `~/.local/share/keybearer`"}

SETTINGS_INTRODUCTION = """\
# Server settings

Made by `python -m tests.docs.references` from the settings of the code. A flag of `keybearer serve` overrides
its variable. `keybearer admin check`, run with the same variables, reports what is wrong with them.

A limit is written as `200/minute` or `10/5 seconds`. At the start, the server warns about variables that begin with
`KEYBEARER_` and are not settings, and names the likely one.

| setting | default | meaning |
| --- | --- | --- |
"""

ERRORS_INTRODUCTION = """\
# Errors

Made by `python -m tests.docs.references` from the classes of the code. Every error of the library and the client is a
`keybearer.KeybearerError`. It has `.message` (what is wrong, and where) and `.hint` (what to do next). No error shows a
key or a password. Import them from `keybearer.errors`: `from keybearer.errors import InvalidAPIKey`.

The kinds of a `ResolutionError` are in [the reference of zuliprc](zuliprc.md#errors). The server's errors on the wire
are in [the wire](wire.md). The attributes of each error are in [the Python API](python.md).

| error | also a | means |
| --- | --- | --- |
"""


def settings() -> str:
    """The page of the settings."""
    options = {option.name: option.opts[0] for option in serve.params}
    rows = []
    for field in fields(Settings):
        flag = options.get(field.name)
        names = f"`{VARIABLES[field.name]}`" + (f"<br>`{flag}`" if flag else "")
        default = DEFAULTS.get(field.name) or _default(field.default)
        rows.append(f"| {names} | {default} | {MEANINGS[field.name]} |\n")
    return SETTINGS_INTRODUCTION + "".join(rows)


def _default(value: object) -> str:
    return "" if value is MISSING or not value or str(value) == "." else f"`{value}`"


def errors_page() -> str:
    """The page of the errors."""
    return ERRORS_INTRODUCTION + "".join(_rows(errors.KeybearerError, 0))


def _rows(cls: type[Exception], depth: int) -> Iterator[str]:
    meaning = " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split()).replace("|", "\\|")
    others = [
        base.__name__ for base in cls.__bases__ if not issubclass(base, errors.KeybearerError) and base is not Exception
    ]
    yield f"| {'— ' * depth}`{cls.__name__}` | {', '.join(f'`{name}`' for name in others)} | {meaning} |\n"
    for below in cls.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _rows(below, depth + 1)


if __name__ == "__main__":
    SETTINGS_PAGE.write_text(settings(), encoding="utf-8")
    ERRORS_PAGE.write_text(errors_page(), encoding="utf-8")
