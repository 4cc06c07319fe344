"""Revokes the keys that a scan has found, at the site that the caller names or uses."""

from __future__ import annotations

from keybearer import api_key
from keybearer.cli.commands.scan.places import Search
from keybearer.cli.connection import waiting_for, warn_if_unencrypted
from keybearer.cli.terminal.output import confirmed, note
from keybearer.client.sync import Client
from keybearer.errors import KeybearerError, ResolutionError
from keybearer.secret import Secret
from keybearer.store.resolution import resolve
from keybearer.wording import counted
from keybearer.zuliprc.credentials import TLSOptions, normalise_site
from keybearer.zuliprc.fields import KEY


def revoke_found(search: Search, site: str | None, *, yes: bool) -> None:
    """Ask, then send each of our keys that was found to `site`, else to the site of the caller's own zuliprc.

    A key is never sent to a site that was found beside it, since an attacker may have written both. The server does not
    say which keys it knew. Raises KeybearerError if there is no terminal to ask on, or if the answer is no.
    """
    keys = list({leak.leak.key: None for leak in search.leaks if api_key.is_ours(leak.leak.key.reveal())})
    if not keys:
        return
    where, tls = _destination(site)
    warn_if_unencrypted(where)
    what = f"{counted(len(keys), 'API key')} will be sent to {where}, which revokes those that it knows"
    own = _own_among(keys)
    if yes and own:
        note(own)
    if not yes and not confirmed(f"{what}. {own} Revoke?" if own else f"{what}. Revoke?", otherwise="--yes"):
        raise KeybearerError("No key was revoked", hint="All of them still work")
    with Client.unauthenticated(where, tls=tls) as client, waiting_for(client, tls):
        for key in keys:
            client.revoke_found_api_key(key)
    note(f"{counted(len(keys), 'API key')} sent to {where}, which revoked those that it knew; their owners get a mail.")


def _destination(site: str | None) -> tuple[str, TLSOptions]:
    if site is not None:
        return normalise_site(site), TLSOptions()
    resolution = resolve()
    if resolution.site is None:
        raise KeybearerError("Your zuliprc has no site at which to revoke keys", hint="Give --site")
    return resolution.site, resolution.tls


def _own_among(keys: list[Secret]) -> str:
    """A sentence that names the caller's own key if it is among these; empty if not. No `passcmd` is run."""
    try:
        resolution = resolve()
    except ResolutionError:
        return ""
    if resolution.values.get(KEY.name) not in keys:
        return ""
    one = "The key" if len(keys) == 1 else "One of the keys"
    return f"{one} is the one that you use yourself, from {resolution.origins[KEY.name]}."
