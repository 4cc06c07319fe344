"""A client for commands, with the active credentials."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from keybearer.cli.options import GivenCredentials
from keybearer.cli.terminal.output import warn
from keybearer.cli.terminal.spinner import spinner
from keybearer.client.sync import Client
from keybearer.zuliprc.credentials import TLSOptions, is_plain_http


@contextlib.contextmanager
def connected(given: GivenCredentials) -> Iterator[Client]:
    """A client with the active credentials. Their warnings are printed."""
    with Client(given.resolve()) as client:
        yield client


def waiting_for(
    client: Client, tls: TLSOptions | None = None
) -> contextlib.AbstractContextManager[Callable[[str], None]]:
    """A spinner while the command waits only for the server; `tls` is for a client without credentials.

    There is none if a prompt for the passphrase of a client certificate may appear, since it would overwrite it.
    """
    tls = tls or (client.credentials.tls if client.credentials else TLSOptions())
    return contextlib.nullcontext(lambda text: None) if tls.client_cert else spinner(f"Waiting for {client.site}")


def warn_if_unencrypted(site: str) -> None:
    """Warn that others can read what is sent to this normalised site, if they can."""
    if is_plain_http(site):
        warn(f"everybody on the network can read what you send to {site}; use https")
