"""`keybearer logout`: take the credentials off this machine, and on demand off the server too."""

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
@click.option("--regenerate", is_flag=True, help="End the key itself too, wherever else it is kept.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@credential_options
def logout(given: GivenCredentials, *, regenerate: bool, yes: bool) -> None:
    """Remove the zuliprc in force.

    The key in it stays valid, for whoever has a copy of it, until a new one is made: --regenerate does that first.
    Where the file has comments or sections of other programs too, only the credentials are taken out of it.
    """
    location = given.locate(os.environ)
    file = open_location(location)
    if location.path is None or file.document is None:
        raise FileError("There is no zuliprc to remove", hint="Name one with --config-file or --profile")
    entry = file.document.get(EMAIL.name)
    whose = f" of {entry.text.reveal()}" if entry else ""
    what = "ends its key everywhere and removes" if regenerate else "removes"
    if not agreed(f"This {what} {location.path}, the zuliprc{whose}. Go on?", yes=yes):
        raise FileError(f"{location.path} was left as it is", hint="Nothing was changed")
    if regenerate:
        _end_key(location)
    gone = _remove(location.path, file.document)
    if given.as_json:
        print_json({"file": str(location.path), "removed": gone, "key_ended": regenerate})
    else:
        say(f"{location.path} is removed" if gone else f"{location.path} has no credentials any more")
    if not regenerate:
        note("The API key is still valid: who has a copy can use it until a new one is made, in the settings.")
    if os.environ.get(KEY.variable):
        note(f"{KEY.variable} is set, and programs go on using that.")


def _end_key(location: Location) -> None:
    """Have a new key made for the file, by what the file itself says, so that the old one is worth nothing."""
    resolution = resolve_location(location, Arguments({}), Environment({}), os.environ)
    if resolution.own_file is None:
        raise RegenerationRefused(
            f"{location.path} does not have email, key and site itself, so its key cannot be ended with it",
            hint="Make a new key in the settings of your organization, and log out without --regenerate",
        )
    try:
        with Client(resolution) as client, waiting_for(client):
            client.regenerate_api_key()
    except InvalidAPIKey:
        note("The server refuses the key already, so there is nothing to end.")
    except KeybearerError as error:
        error.hint = f"{location.path} was left as it is; without --regenerate it is removed. {error.hint}".strip()
        raise


def _remove(path: Path, document: Document) -> bool:
    """Remove the file, behind a link if it is one, and the link. False where other things in it had to stay."""
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
