"""`keybearer login`: writes a zuliprc, with a password or a key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from keybearer.cli.connection import waiting_for, warn_if_unencrypted
from keybearer.cli.options import json_option, locator_option, setting_option
from keybearer.cli.overwriting import confirm_overwrite
from keybearer.cli.terminal.input import ask, ask_secret, secret_on_stdin
from keybearer.cli.terminal.output import note, print_json, say
from keybearer.cli.terminal.spinner import spinner
from keybearer.cli.user_display import email_of
from keybearer.client.models.server import ServerSettings
from keybearer.client.sync import Client
from keybearer.errors import FileError, KeybearerError, ResolutionError
from keybearer.store.files import write_zuliprc
from keybearer.store.location import Location, locate
from keybearer.store.obstacles import require_replaceable
from keybearer.store.resolution import open_location, resolve_file
from keybearer.zuliprc.credentials import Credentials, TLSOptions, normalise_site, same_site
from keybearer.zuliprc.fields import (
    CLIENT_BUNDLE,
    CLIENT_CERT,
    CLIENT_CERT_KEY,
    CONFIG_FILE,
    EMAIL,
    INSECURE,
    KEY,
    PROFILE,
    SITE,
)
from keybearer.zuliprc.sources import Arguments, Environment, ZuliprcFile

KEY_PAGE = "#settings/account-and-privacy"
"""The page of Zulip's web app that shows the API key."""


@click.command()
@click.argument("site")
@setting_option(EMAIL)
@locator_option(CONFIG_FILE, meaning="The zuliprc to write instead of ~/.zuliprc.")
@locator_option(PROFILE, meaning="Write it as this profile instead of ~/.zuliprc.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "--api-key-stdin", is_flag=True, help="Read the API key from standard input, for accounts without a password."
)
@setting_option(CLIENT_CERT)
@setting_option(CLIENT_CERT_KEY)
@setting_option(CLIENT_BUNDLE)
@setting_option(INSECURE)
@click.option("--yes", is_flag=True, help="Replace another account's zuliprc without asking.")
@json_option
def login(
    *,
    site: str,
    email: str | None,
    config_file: str | None,
    profile: str | None,
    password_stdin: bool,
    api_key_stdin: bool,
    yes: bool,
    as_json: bool,
    **tls_options: Any,  # noqa: ANN401 - by their arguments' names, as `resolve()` takes them
) -> None:
    """Get your API key from SITE and write the zuliprc.

    The command asks for the password at the terminal. The file is the one that --config-file, --profile, ZULIP_CONFIG
    or ZULIP_PROFILE names, else ~/.zuliprc. Its mode is 0600. The email in it is the one that the server returns. TLS
    options given here are written to the file.
    """
    if password_stdin and api_key_stdin:
        raise click.UsageError("Standard input can be the password or the API key, not both.")
    site = normalise_site(site)
    path = locate(config_file, profile, os.environ).path
    if path is None:
        raise FileError("There is no home directory to write into", hint="Set HOME, or use --config-file")
    require_replaceable(path)
    there = _zuliprc_for(site, path)
    tls = _tls(there, site, tls_options, os.environ)
    warn_if_unencrypted(site)
    with Client.unauthenticated(site, tls=tls) as client:
        with waiting_for(client, tls):
            settings = client.get_server_settings()
        if api_key_stdin:
            found = _by_key(site, tls, email)
        else:
            found = _by_password(client, settings, email, from_stdin=password_stdin)
    confirm_overwrite(path, email=found.email, site=site, yes=yes)
    write_zuliprc(path, Credentials(found.email, found.api_key, site, tls=_tls(there, site, tls_options, {})))
    _report(found.email, site, path, settings, as_json=as_json)


def _zuliprc_for(site: str, path: Path) -> ZuliprcFile:
    """The file that will be replaced, whose TLS settings are kept. If it is not for this site: an empty file."""
    try:
        file = open_location(Location(path))
        found = file.find(SITE)
        if found and same_site(normalise_site(found.text.reveal()), site):
            return file
    except ResolutionError:
        pass  # a broken file is not used; whether it may be replaced is asked later
    return ZuliprcFile("")


def _tls(file: ZuliprcFile, site: str, options: Mapping[str, Any], variables: Mapping[str, str]) -> TLSOptions:
    """The TLS settings from options, variables and file. The resolver requires an email and a key too."""
    arguments = Arguments({**options, SITE.argument: site, EMAIL.argument: "-", KEY.argument: "-"})
    return resolve_file(file, arguments, Environment(variables), os.environ).tls


def _by_password(client: Client, settings: ServerSettings, email: str | None, *, from_stdin: bool) -> Credentials:
    methods = settings.authentication_methods
    if isinstance(methods, Mapping) and methods.get("password") is False:
        raise KeybearerError(
            f"{settings.realm_name or client.site} does not use passwords",
            hint=f"Get the API key at {client.site}/{KEY_PAGE} and give it to `keybearer login {client.site} "
            "--email EMAIL --api-key-stdin`",
        )
    label = "User name" if settings.require_email_format_usernames is False else "Email"
    username = email or ask(label, otherwise="Give --email")
    if from_stdin:
        password = secret_on_stdin("--password-stdin")
    else:
        password = ask_secret(f"Password of {username}", otherwise="Pass it on standard input, with --password-stdin")
    with spinner(f"Waiting for {client.site}"):  # all questions have been asked by now
        fetched = client.fetch_api_key(username, password)
    return Credentials(fetched.email, fetched.api_key)


def _by_key(site: str, tls: TLSOptions, email: str | None) -> Credentials:
    """The key on standard input, after one test call. The email is then that of the server."""
    given = Credentials(
        email or ask("Email", otherwise="Give --email"), secret_on_stdin("--api-key-stdin", "API key"), site, tls=tls
    )
    with Client(given) as client, waiting_for(client):
        profile = client.get_profile()
    return Credentials(email_of(profile) if profile.delivery_email else given.email, given.api_key)


def _report(email: str, site: str, path: Path, settings: ServerSettings, *, as_json: bool) -> None:
    if as_json:
        print_json({"file": str(path), "email": email, "site": site, "realm_name": settings.realm_name})
    else:
        say(f"{path}: {email} at {site}")
    canonical = settings.realm_url or settings.realm_uri or site
    if canonical.rstrip("/") != site:
        note(f"{settings.realm_name} has the address {canonical} for itself; the file has the address that you gave.")
    overriding = [name for name in (EMAIL.variable, KEY.variable, SITE.variable) if os.environ.get(name)]
    if overriding:
        note(f"{', '.join(overriding)} in the environment override the file: unset those that you do not need.")
