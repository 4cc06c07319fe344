"""`keybearer key`: named API keys of an account or a bot, each with scopes and an end."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from keybearer.cli import key_display
from keybearer.cli.bot_zuliprc import STDOUT
from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.key_arguments import read_life, read_overlap, read_scopes
from keybearer.cli.key_holder import KeyHolder
from keybearer.cli.options import GivenCredentials, credential_options, credential_options_without_profile
from keybearer.cli.terminal.output import agreed, note, print_json, print_table, say
from keybearer.cli.terminal.streams import require_output
from keybearer.client.models.api_keys import APIKey, NewAPIKey
from keybearer.client.sync import Client
from keybearer.errors import KeybearerError
from keybearer.store.profiles import path_of
from keybearer.zuliprc.resolver import Resolution

_of_bot = click.option("--bot", metavar="ID-OR-EMAIL", help="The keys of this bot instead of your own.")


@click.group()
def key() -> None:
    """List, create and revoke named API keys, each with scopes and an end."""


@key.command("list")
@_of_bot
@credential_options
def list_(given: GivenCredentials, *, bot: str | None) -> None:
    """List the valid API keys: the account key and the named keys."""
    with connected(given) as client:
        keys = KeyHolder.named(client, bot).keys()
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
        one = KeyHolder.named(client, bot).find(key_id)
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
@click.option("--yes", is_flag=True, help="Replace another zuliprc without asking.")
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
    """Create a named API key, which is shown only once. Its zuliprc is written to --output or --profile, or printed."""
    if profile is not None:
        if output is not None:
            raise click.UsageError("--output and --profile cannot be used together.")
        output = str(path_of(profile, os.environ))
    _require_file_for_json(given, output)
    require_output()
    with connected(given) as client:
        holder = KeyHolder.named(client, bot)
        path = holder.place_for(output, yes=yes)  # before a key exists that cannot be stored
        with waiting_for(client):
            new = client.create_api_key(
                name, scopes=scopes, expires_in_days=life, networks=networks or None, bot_id=holder.bot_id
            )
        holder.hand_over(new, path)
    if path is not None:
        _report(given, holder, new, path)


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

    The new zuliprc is written to --output, or printed. To replace the active key, name its own zuliprc with --output,
    or use `keybearer regenerate`.
    """
    _require_file_for_json(given, output)
    require_output()
    resolution = given.resolve()
    with Client(resolution) as client:
        holder = KeyHolder.named(client, bot)
        path = holder.place_for(output, yes=yes, replaced=key_id)
        _require_living_file(client, resolution, key_id, path)
        if not overlap_seconds and not agreed(f"Key {key_id} will be refused at once. Replace it?", yes=yes):
            raise KeybearerError("No new API key was issued", hint="The old one still works")
        with waiting_for(client):
            new = client.regenerate_named_api_key(key_id, overlap_seconds=overlap_seconds, bot_id=holder.bot_id)
        holder.hand_over_successor(new, path, of=key_id)
    if path is not None:
        _report(given, holder, new, path)


@key.command()
@click.argument("key_id", metavar="ID", type=click.IntRange(min=0))
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@_of_bot
@credential_options
def revoke(given: GivenCredentials, *, key_id: int, yes: bool, bot: str | None) -> None:
    """Revoke a named API key. Every key that was created with it ends too."""
    with connected(given) as client:
        holder = KeyHolder.named(client, bot)
        one = holder.find(key_id)
        used = key_display.moment(one.last_used_at, "never")
        refused = f"{key_display.name_of(one)}, last used {used}, will be refused at once"
        question = f"{refused}, as will every key that was created with it, also of bots and other people. Revoke it?"
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


def _require_living_file(client: Client, resolution: Resolution, key_id: int, path: Path | None) -> None:
    """Raise KeybearerError if the caller's own zuliprc would be left with a key that has been replaced."""
    own = resolution.own_file
    if own is None or not Path(own).is_file() or (path is not None and path.exists() and path.samefile(own)):
        return
    with waiting_for(client):
        in_force = key_display.key_in_use(client)
    if in_force is not None and in_force.id == key_id:
        raise KeybearerError(
            f"Key {key_id} is the one in {own}, which would be refused then",
            hint=f"Replace it there: `keybearer regenerate -c {shlex.quote(own)}`",
        )


def _report(given: GivenCredentials, holder: KeyHolder, new: NewAPIKey, path: Path) -> None:
    """Print where the zuliprc with the new key is."""
    if given.as_json:
        print_json({"id": new.id, "file": str(path), "email": holder.email, "site": holder.client.site})
    else:
        say(f"{path}: {holder.email} at {holder.client.site}, API key {new.id}")
