"""`keybearer export`: print the credentials in a form for another program."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import click

from keybearer.cli.credential_variables import variables
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import print_file
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.document import render_zuliprc
from keybearer.zuliprc.fields import CLIENT_BUNDLE, FIELDS, INSECURE, PASSCMD
from keybearer.zuliprc.resolver import Resolution


def as_shell(credentials: Credentials) -> str:
    """Commands for a POSIX shell: `eval "$(keybearer export)"`."""
    return "".join(f"export {name}={shlex.quote(text)}\n" for name, text in variables(credentials).items())


def as_dotenv(credentials: Credentials) -> str:
    """A `.env` file. Values have quotes only if they are needed, since Docker's reader does not support them."""
    return "".join(f"{name}={_dotenv_quoted(text)}\n" for name, text in variables(credentials).items())


def as_json(credentials: Credentials) -> str:
    """The arguments of `keybearer.resolve()` as a JSON object, and the token; null if not set."""
    values: dict[str, object] = {
        field.argument or field.name: field.written(credentials) for field in FIELDS.values() if field is not PASSCMD
    }
    values[INSECURE.argument] = credentials.tls.insecure
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def as_curl(credentials: Credentials) -> str:
    """A configuration for curl. It is read from a pipe, so no list of processes shows the key."""
    tls = credentials.tls
    options = {"user": f"{credentials.email}:{credentials.api_key.reveal()}"}
    if tls.client_cert:
        options["cert"] = tls.client_cert.replace("\\", "\\\\").replace(
            ":", "\\:"
        )  # after a colon, curl expects a passphrase
    if tls.client_cert_key:
        options["key"] = tls.client_cert_key
    if tls.cert_bundle and not tls.insecure:
        options["capath" if Path(tls.cert_bundle).is_dir() else "cacert"] = tls.cert_bundle
    example = f"# keybearer export --format curl | curl --config - {credentials.site or 'SITE'}/api/v1/users/me\n"
    lines = "".join(f"{name} = {_curl_quoted(value)}\n" for name, value in options.items())
    return example + lines + ("insecure\n" if tls.insecure else "")


FORMATS: Mapping[str, Callable[[Credentials], str]] = {
    "env": as_shell,
    "dotenv": as_dotenv,
    "zuliprc": render_zuliprc,
    "json": as_json,
    "curl": as_curl,
}


@click.command()
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    default="env",
    show_default=True,
    help="The format of the output.",
)
@credential_options
def export(given: GivenCredentials, *, format_name: str) -> None:
    """Print the active credentials for another program.

    The output has the key in plain text.

    \b
        eval "$(keybearer export)"
        keybearer export --format dotenv > .env
        keybearer export --format curl | curl --config - https://chat.example.com/api/v1/users/me
    """
    chosen = "json" if given.as_json else format_name
    print_file(FORMATS[chosen](_of_the_account(given.resolve())))


def _of_the_account(resolution: Resolution) -> Credentials:
    """The credentials without a bundle from another program's variable, which is only for this machine."""
    credentials = resolution.credentials
    if resolution.origins[CLIENT_BUNDLE.name].place not in CLIENT_BUNDLE.fallbacks:
        return credentials
    return replace(credentials, tls=replace(credentials.tls, cert_bundle=None))


def _dotenv_quoted(text: str) -> str:
    if shlex.quote(text) == text:
        return text
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    return f'"{escaped}"'


def _curl_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
