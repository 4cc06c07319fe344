"""Revoking the keys that a scan has found, at the one site that the caller names or uses."""

from __future__ import annotations

from keybearer import api_key
from keybearer.cli.commands.scan.places import Search
from keybearer.cli.connection import waiting_for
from keybearer.cli.terminal.output import confirmed, note
from keybearer.client.sync import Client
from keybearer.errors import KeybearerError
from keybearer.store.resolution import resolve
from keybearer.wording import counted
from keybearer.zuliprc.credentials import TLSOptions, normalise_site


def revoke_found(search: Search, site: str | None, *, yes: bool) -> None:
    """Ask, and then send every key of ours that was found to `site`, else to the site of the caller's own zuliprc.

    Never to a site that was found beside a key: whoever planted the two there would get it. The server does not say
    which of them it knew. Raises KeybearerError where there is nobody to ask, and where the answer is no.
    """
    keys = list({leak.leak.key: None for leak in search.leaks if api_key.is_ours(leak.leak.key.reveal())})
    if not keys:
        return
    where, tls = _destination(site)
    what = f"{counted(len(keys), 'API key')} will be sent to {where}, which revokes what it knows"
    if not yes and not confirmed(f"{what}. Revoke?", otherwise="--yes"):
        raise KeybearerError("No key was revoked", hint="They all still work")
    with Client.unauthenticated(where, tls=tls) as client, waiting_for(client, tls):
        for key in keys:
            client.revoke_found_api_key(key)
    note(f"{where} has revoked what it knew of {counted(len(keys), 'API key')}; their owners get a mail.")


def _destination(site: str | None) -> tuple[str, TLSOptions]:
    if site is not None:
        return normalise_site(site), TLSOptions()
    resolution = resolve()
    if resolution.site is None:
        raise KeybearerError("Your zuliprc names no site to revoke keys at", hint="Give --site")
    return resolution.site, resolution.tls
