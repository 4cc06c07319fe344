"""`keybearer logout`: removes the credentials from this machine, and with `--regenerate` also ends the key."""

from __future__ import annotations

import os
from pathlib import Path

import click

from keybearer.cli.connection import waiting_for
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import agreed, note, print_json, say
from keybearer.client.sync import Client
from keybearer.errors import FileError, InvalidAPIKey, KeybearerError, RegenerationRefused
from keybearer.store.atomic import exclusive
from keybearer.store.files import put_document
from keybearer.store.key_replacement import discard_leftover
from keybearer.store.location import Location
from keybearer.store.resolution import open_location, resolve_location
from keybearer.zuliprc.document import Document
from keybearer.zuliprc.fields import EMAIL, KEY
from keybearer.zuliprc.sources import Arguments, Environment


@click.command()
@click.option("--regenerate", is_flag=True, help="Also end the key itself, so that all copies stop working.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@credential_options
def logout(given: GivenCredentials, *, regenerate: bool, yes: bool) -> None:
    """Remove the active zuliprc.

    The key in it stays valid in all copies until it is replaced or revoked. --regenerate replaces it first. If the file
    also has comments or sections of other programs, only the credentials are removed from it.
    """
    location = given.locate(os.environ)
    file = open_location(location)
    if location.path is None or file.document is None:
        raise FileError("There is no zuliprc to remove", hint="Name one with --config-file or --profile")
    entry = file.document.get(EMAIL.name)
    whose = f" of {entry.text.reveal()}" if entry else ""
    what = "ends its key everywhere and removes" if regenerate else "removes"
    if not agreed(f"This {what} {location.path}, the zuliprc{whose}. Continue?", yes=yes):
        raise FileError(f"{location.path} was not changed", hint="Nothing was changed")
    if regenerate:
        _end_key(location)
    gone = _remove(location.path, file.document)
    if given.as_json:
        print_json({"file": str(location.path), "removed": gone, "key_ended": regenerate})
    else:
        say(f"{location.path} was removed" if gone else f"{location.path} no longer has credentials")
    if not regenerate:
        note(
            "The API key is still valid: a copy of it works until you revoke it or generate a new one in the settings."
        )
    if os.environ.get(KEY.variable):
        note(f"{KEY.variable} is set, and programs continue to use it.")


def _end_key(location: Location) -> None:
    """Replace the key with the file's own credentials, so that the old key ends."""
    resolution = resolve_location(location, Arguments({}), Environment({}), os.environ)
    if resolution.own_file is None:
        raise RegenerationRefused(
            f"{location.path} does not have email, key and site in it, so it cannot be used to end its key",
            hint="Generate a new key in the settings of your organization, and log out without --regenerate",
        )
    try:
        with Client(resolution) as client, waiting_for(client):
            client.regenerate_api_key()
    except InvalidAPIKey:
        note("The server already refuses the key, so there is nothing to end.")
    except KeybearerError as error:
        error.hint = f"{location.path} was not changed; without --regenerate it is removed. {error.hint}".strip()
        raise


def _remove(path: Path, document: Document) -> bool:
    """Remove the file, and a link to it. Returns False if the file had to stay for its other content."""
    if document.has_more_than_settings:
        put_document(path, Document(""))
        with exclusive(path) as target:
            discard_leftover(target)
        return False
    with exclusive(path) as target:
        target.unlink()
        discard_leftover(target)
        if path.is_symlink():
            path.unlink()
    return True
