"""`keybearer key`: named API keys of an account or a bot, each with scopes and an end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click

from keybearer.cli import key_display
from keybearer.cli.bot_zuliprc import STDOUT, credentials_of, find_bot, place_for
from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.key_arguments import read_life, read_overlap, read_scopes
from keybearer.cli.options import GivenCredentials, credential_options, credential_options_without_profile
from keybearer.cli.terminal.output import agreed, note, print_file, print_json, print_table, say
from keybearer.cli.user_display import email_of
from keybearer.client.models.accounts import User
from keybearer.client.models.api_keys import APIKey, NewAPIKey
from keybearer.client.sync import Client
from keybearer.errors import FileError, KeybearerError
from keybearer.store.files import write_zuliprc
from keybearer.store.profiles import path_of
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.document import render_zuliprc

_of_bot = click.option("--bot", metavar="ID-OR-EMAIL", help="The keys of this bot instead of your own.")


@click.group()
def key() -> None:
    """List, create and revoke named API keys, each with scopes and an end."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """The account of the keys: the caller's own, or a bot's."""

    client: Client
    bot: User | None

    @classmethod
    def named(cls, client: Client, id_or_email: str | None) -> _Holder:
        return cls(client, None if id_or_email is None else find_bot(client, id_or_email))

    @property
    def bot_id(self) -> int | None:
        return None if self.bot is None else self.bot.user_id

    @property
    def email(self) -> str:
        return self.client.email if self.bot is None else email_of(self.bot)

    def keys(self) -> list[APIKey]:
        with waiting_for(self.client):
            return list(self.client.get_api_keys(bot_id=self.bot_id))

    def find(self, key_id: int) -> APIKey:
        found = next((each for each in self.keys() if each.id == key_id), None)
        if found is None:
            raise KeybearerError(f"{self.email} has no API key {key_id}", hint="`keybearer key list` lists them")
        return found

    def place_for(self, output: str | None, *, yes: bool) -> Path | None:
        return place_for(output, email=self.email, site=self.client.site, yes=yes)

    def credentials(self, new: NewAPIKey) -> Credentials:
        if self.bot is None:
            return Credentials(self.client.email, new.api_key, self.client.site)
        with waiting_for(self.client):
            return credentials_of(self.client, self.bot, new.api_key)


@key.command("list")
@_of_bot
@credential_options
def list_(given: GivenCredentials, *, bot: str | None) -> None:
    """List the valid API keys: the account key and the named keys."""
    with connected(given) as client:
        keys = _Holder.named(client, bot).keys()
    if given.as_json:
        print_json([key_display.as_json(one) for one in keys])
        return
    headings = ["id", "name", "scopes", "ends", "last used", "networks"]
    print_table(headings, [[str(one.id), *_cells(one)] for one in keys])
    unused = [one for one in keys if one.is_unused and not one.is_account_key]
    if unused:
        note(f"Not used for 90 days: {', '.join(map(key_display.name_of, unused))}. Revoke keys that are not needed.")


def _cells(one: APIKey) -> list[str]:
    return [
        "(account key)" if one.is_account_key else one.name,
        ",".join(one.scopes),
        key_display.moment(one.expires_at, "never"),
        key_display.moment(one.last_used_at, "never"),
        ",".join(one.networks) or "all",
    ]


@key.command()
@click.argument("key_id", metavar="ID", type=click.IntRange(min=0))
@_of_bot
@credential_options
def show(given: GivenCredentials, *, key_id: int, bot: str | None) -> None:
    """Show an API key without its text: who created it, when it ends, which program used it last."""
    with connected(given) as client:
        one = _Holder.named(client, bot).find(key_id)
    if given.as_json:
        print_json(key_display.as_json(one))
        return
    name, scopes, end, used, networks = _cells(one)
    rows = [
        ["id", str(one.id)],
        ["name", name],
        ["scopes", scopes],
        ["made", f"{key_display.moment(one.created_at, '-')} by {one.created_by or 'the server'}"],
        ["ends", end],
        ["last used", used],
        ["last address", one.last_used_address or "-"],
        ["last client", one.last_used_client or "-"],
        ["networks", networks],
        ["replaced by", str(one.replaced_by or "-")],
    ]
    print_table(["", "value"], rows)


@key.command()
@click.option("--name", required=True, metavar="NAME", help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    callback=read_scopes,
    metavar="SCOPE,...",
    help="Any of read, send, manage, keys.  [default: read,send]",
)
@click.option(
    "--expires",
    "life",
    callback=read_life,
    metavar="DAYSd|DATE|never",
    help="When it ends, such as 90d or 2027-01-31.  [default: the organization's setting]",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="CIDR",
    help="Where it may be used from, such as 192.0.2.0/24. Can be given more than once.  [default: everywhere]",
)
@click.option(
    "--output", type=click.Path(readable=False), metavar="FILE", help="Write its zuliprc to this file; - prints it."
)
@click.option("--profile", metavar="NAME", help="Write its zuliprc as this profile.")
@click.option("--yes", is_flag=True, help="Replace another account's zuliprc without asking.")
@_of_bot
@credential_options_without_profile
def add(
    given: GivenCredentials,
    *,
    name: str,
    scopes: list[str] | None,
    life: int | str | None,
    networks: tuple[str, ...],
    output: str | None,
    profile: str | None,
    yes: bool,
    bot: str | None,
) -> None:
    """Create a named API key. Its zuliprc is written to --output or --profile, or printed. It is shown only once."""
    if profile is not None:
        if output is not None:
            raise click.UsageError("--output and --profile cannot be used together.")
        output = str(path_of(profile, os.environ))
    _require_file_for_json(given, output)
    with connected(given) as client:
        holder = _Holder.named(client, bot)
        path = holder.place_for(output, yes=yes)  # before a key exists that cannot be stored
        with waiting_for(client):
            new = client.create_api_key(
                name, scopes=scopes, expires_in_days=life, networks=networks or None, bot_id=holder.bot_id
            )
        try:
            _give(given, holder, new, path)
        except FileError as error:
            client.revoke_api_key(new.id, bot_id=holder.bot_id)
            error.hint = "The new key was revoked again: try another --output"
            raise


@key.command()
@click.argument("key_id", metavar="ID", type=click.IntRange(min=0))
@click.option(
    "--overlap",
    "overlap_seconds",
    callback=read_overlap,
    metavar="TIME",
    help="How long the old key continues to work, such as 1h; at most a day.  [default: not at all]",
)
@click.option(
    "--output", type=click.Path(readable=False), metavar="FILE", help="Write its zuliprc to this file; - prints it."
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@_of_bot
@credential_options
def regenerate(
    given: GivenCredentials, *, key_id: int, overlap_seconds: int | None, output: str | None, yes: bool, bot: str | None
) -> None:
    """Replace a named API key with a new one with the same name, scopes, networks and end.

    The new zuliprc is written to --output, or printed. To replace the active key in its own zuliprc, use `keybearer
    regenerate`.
    """
    _require_file_for_json(given, output)
    with connected(given) as client:
        holder = _Holder.named(client, bot)
        path = holder.place_for(output, yes=yes)
        if not overlap_seconds and not agreed(f"Key {key_id} will be refused at once. Replace it?", yes=yes):
            raise KeybearerError("No new API key was issued", hint="The old one still works")
        with waiting_for(client):
            new = client.regenerate_named_api_key(key_id, overlap_seconds=overlap_seconds, bot_id=holder.bot_id)
        try:
            _give(given, holder, new, path)
        except FileError as error:
            error.hint = f"Revoke it with `keybearer key revoke {new.id}`, and add a new one"
            raise


@key.command()
@click.argument("key_id", metavar="ID", type=click.IntRange(min=0))
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@_of_bot
@credential_options
def revoke(given: GivenCredentials, *, key_id: int, yes: bool, bot: str | None) -> None:
    """Revoke a named API key. Every key that was created with it ends too."""
    with connected(given) as client:
        holder = _Holder.named(client, bot)
        one = holder.find(key_id)
        used = key_display.moment(one.last_used_at, "never")
        question = f"{key_display.name_of(one)}, last used {used}, will be refused at once. Revoke it?"
        if not agreed(question, yes=yes):
            raise KeybearerError("The key was not revoked", hint="It still works")
        with waiting_for(client):
            client.revoke_api_key(key_id, bot_id=holder.bot_id)
    if given.as_json:
        print_json({"id": key_id, "name": one.name, "email": holder.email})
    else:
        say(f"{key_display.name_of(one)} of {holder.email} is revoked")


def _require_file_for_json(given: GivenCredentials, output: str | None) -> None:
    if given.as_json and output in {None, STDOUT}:
        raise click.UsageError("A zuliprc is not JSON. Write it with --output FILE, or omit --json.")


def _give(given: GivenCredentials, holder: _Holder, new: NewAPIKey, path: Path | None) -> None:
    """Write the zuliprc with the new key, or print its exact text."""
    credentials = holder.credentials(new)
    if path is None:
        print_file(render_zuliprc(credentials))
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_zuliprc(path, credentials)
    if given.as_json:
        print_json({"id": new.id, "file": str(path), "email": holder.email, "site": holder.client.site})
    else:
        say(f"{path}: {holder.email} at {holder.client.site}, API key {new.id}")
