"""`keybearer serve`: the server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from keybearer.cli.data_dir import warn_of_unknown_variables
from keybearer.cli.terminal.output import warn
from keybearer.server.process import serve as serve_until_stopped
from keybearer.server.settings import DEFAULT_HOST, DEFAULT_PORT, Settings, without_password
from keybearer.zuliprc.hosts import is_loopback

_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="The directory for all data [default: $KEYBEARER_DATA_DIR, else $XDG_DATA_HOME/keybearer].",
)
@click.option(
    "--development",
    is_flag=True,
    help="Let anybody who can reach the server sign in without a password. Never use it for real data.",
)
@click.option("--host", help=f"The address to listen on [default: {DEFAULT_HOST}].")
@click.option(
    "--port",
    metavar="NUMBER",
    type=click.IntRange(0, 65535),
    help=f"The port to listen on; 0 selects a free one [default: {DEFAULT_PORT}].",
)
@click.option(
    "--workers", metavar="NUMBER", type=click.IntRange(min=1), help="The number of worker processes [default: 1]."
)
@click.option(
    "--database-url", help="The URL of a PostgreSQL database, to use instead of the file in the data directory."
)
@click.option("--tls-cert", type=_file, help="Use TLS with this certificate (PEM, with its chain).")
@click.option("--tls-key", type=_file, help="The certificate's key (PEM).")
@click.option("--tls-client-ca", type=_file, help="Accept only clients with a certificate from this authority (PEM).")
def serve(*, development: bool, **flags: Any) -> None:  # noqa: ANN401  one type per flag
    """Run the server.

    On an empty data directory, it sets itself up and prints a link for creating the organization.
    """
    if (flags["tls_cert"] is None) != (flags["tls_key"] is None):
        raise click.UsageError("--tls-cert and --tls-key must be used together.")
    if flags["tls_client_ca"] is not None and flags["tls_cert"] is None:
        raise click.UsageError("--tls-client-ca needs --tls-cert and --tls-key.")
    # Only the flag turns development mode on: a forgotten variable must not let people in without a password.
    warn_of_unknown_variables()
    settings = Settings.from_environ(os.environ, development=development, **flags)
    for warning in _warnings(settings, flags["database_url"]):
        warn(warning)
    serve_until_stopped(settings, click.echo)


def _warnings(settings: Settings, database_url: str | None) -> list[str]:
    warnings = []
    if database_url is not None and without_password(database_url) != database_url:
        warnings.append("process lists show the password in --database-url; use KEYBEARER_DATABASE_URL")
    if not (settings.uses_tls or settings.trusted_proxies or is_loopback(settings.host)):
        warnings.append(
            f"listening on {settings.host} without TLS: keys and passwords are sent unencrypted over the network"
        )
    if settings.workers > 1 and not settings.limits_url:
        warnings.append(
            f"each of {settings.workers} workers counts calls by itself, so {settings.workers} times the limit "
            "is allowed; set KEYBEARER_LIMITS_URL to a Redis or Valkey to count them together"
        )
    if settings.development:
        warnings.append("development mode: anybody who can reach this server can sign in without a password")
    return warnings
