"""The options that select the credentials. They are the same for every command that uses credentials."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from keybearer.cli.terminal.output import warn
from keybearer.secret import Secret
from keybearer.store.location import Location, locate
from keybearer.store.profiles import list_profiles
from keybearer.store.resolution import resolve
from keybearer.zuliprc.fields import CONFIG_FILE, FIELDS, KEY, LOCATORS, PROFILE, Field, Locator
from keybearer.zuliprc.resolver import Resolution

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
"""`--json`, the same for every command with output for programs."""


@dataclass(frozen=True, slots=True)
class GivenCredentials:
    """The credential options of a command.

    `arguments` are those of `resolve()`, None if an option was not given. `as_json` is `--json`.
    """

    arguments: Mapping[str, Any]
    as_json: bool

    def resolve(self, *, quiet: bool = False) -> Resolution:
        """The active credentials. Prints their warnings on stderr, unless `quiet`. Raises ResolutionError."""
        resolution = resolve(**self.arguments)
        if not quiet:
            for warning in resolution.warnings:
                warn(str(warning))
        return resolution

    def locate(self, environ: Mapping[str, str]) -> Location:
        """The selected file, which may not exist. Raises ResolutionError for a bad profile name."""
        return locate(self.arguments[CONFIG_FILE.argument], self.arguments[PROFILE.argument], environ)


def credential_options_without_profile(command: Callable[..., object]) -> Callable[..., object]:
    """Like `credential_options`, for a command that writes to its own `--profile`."""
    return _with_options(command, [CONFIG_FILE])


def credential_options(command: Callable[..., object]) -> Callable[..., object]:
    """Give a command the options of FIELDS and LOCATORS, `--strict` and `--json`.

    Put it below `@click.command()`. The function's first argument is then the GivenCredentials, and its own options
    and arguments follow by name:

        @click.command()
        @click.argument("name")
        @credential_options
        def greet(given: GivenCredentials, *, name: str) -> None:
            credentials = given.resolve().credentials
    """
    return _with_options(command, LOCATORS)


def _with_options(command: Callable[..., object], locators: Sequence[Locator]) -> Callable[..., object]:
    settings = [field for field in FIELDS.values() if field.options]
    taken = [*(locator.argument for locator in locators), *(field.argument for field in settings), "strict"]

    @functools.wraps(command)
    def with_credentials(*args: object, as_json: bool, **values: object) -> object:
        arguments = {locator.argument: None for locator in LOCATORS} | {name: values.pop(name) for name in taken}
        return command(GivenCredentials(arguments, as_json), *args, **values)

    options = [
        *(locator_option(locator) for locator in locators),
        *(setting_option(field) for field in settings),
        click.option("--strict", is_flag=True, help="Treat every warning about the credentials as an error."),
        json_option,
    ]
    decorated: Callable[..., object] = with_credentials
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def locator_option(locator: Locator, *, meaning: str | None = None) -> Callable[..., Any]:
    """The option that selects the file. `meaning` is for a command that writes the file."""
    kind = click.Path(readable=False) if locator is CONFIG_FILE else str
    return click.option(
        *locator.options,
        locator.argument,
        metavar=locator.metavar,
        type=kind,
        callback=_standard_input if locator is CONFIG_FILE else None,
        help=_plain(meaning or locator.meaning),
        shell_complete=_complete_profile if locator is PROFILE else None,
    )


def _standard_input(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """`-` is standard input, as for other programs; `./-` is a file of that name."""
    return "/dev/stdin" if value == "-" else value


def _complete_profile(context: click.Context, option: click.Parameter, incomplete: str) -> list[str]:
    return [profile.name for profile in list_profiles(os.environ) if profile.name.startswith(incomplete)]


def setting_option(field: Field[Any]) -> Callable[..., Any]:
    """The option for one setting. A secret becomes a Secret, with a warning that process lists show it."""
    if not field.metavar:
        return click.option(*field.options, field.argument, default=None, help=_plain(field.meaning))
    kind = click.Path(readable=False) if field.metavar in {"FILE", "PATH"} else str
    return click.option(
        *field.options,
        field.argument,
        metavar=field.metavar,
        type=kind,
        callback=_keep_secret if field.secret else None,
        help=_plain(field.meaning) + (" Other users of this machine can see it while it runs." if field is KEY else ""),
    )


def _keep_secret(context: click.Context, option: click.Parameter, value: str | None) -> Secret | None:
    if value is None:
        return None
    warn(
        f"every user of this machine can see {option.opts[0]} in the list of processes, "
        f"and your shell may store it; use {KEY.variable} or a zuliprc instead"
    )
    return Secret(value)


def _plain(meaning: str) -> str:
    return meaning.replace("`", "")
