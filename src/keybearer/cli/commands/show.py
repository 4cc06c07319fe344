"""`keybearer show`: every active setting, its origin and what it shadows."""

from __future__ import annotations

import click

from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import print_json, print_table
from keybearer.masking import MASK
from keybearer.secret import Secret
from keybearer.zuliprc.fields import PASSCMD
from keybearer.zuliprc.resolver import Resolution
from keybearer.zuliprc.sources import Origin

NOT_SET = "-"


@click.command()
@credential_options
def show(given: GivenCredentials) -> None:
    """Show every active setting, its origin and what it shadows.

    The key is masked, and no password command is run for it. A setting that is not set has the origin: default.
    """
    resolution = given.resolve(quiet=given.as_json)
    if given.as_json:
        print_json(as_json(resolution))
        return
    rows = [
        [
            name,
            value if (value := displayed(resolution, name)) is not None else NOT_SET,
            str(origin),
            ", ".join(str(shadowed) for shadowed in resolution.shadowed.get(name, ())),
        ]
        for name, origin in resolution.origins.items()
    ]
    print_table(["setting", "value", "origin", "shadows"], rows)


def displayed(resolution: Resolution, name: str) -> str | None:
    """The value of a setting to show, None if it has none. No `passcmd` is run for it."""
    value = resolution.values.get(name)
    if isinstance(value, Secret):
        return MASK if name == PASSCMD.name else value.masked()
    if value is None and resolution.origins[name].name == PASSCMD.name:
        return f"the output of {PASSCMD.name}"
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def as_json(resolution: Resolution) -> dict[str, object]:
    """The settings as JSON, for programs."""
    return {
        "config_file": resolution.config_file,
        "settings": {
            name: {
                "value": displayed(resolution, name),
                "origin": _origin(origin),
                "shadows": [_origin(shadowed) for shadowed in resolution.shadowed.get(name, ())],
            }
            for name, origin in resolution.origins.items()
        },
        "warnings": [
            {"kind": warning.kind, "place": warning.place, "message": warning.message}
            for warning in resolution.warnings
        ],
    }


def _origin(origin: Origin) -> dict[str, object]:
    return {"kind": origin.kind, "place": origin.place, "name": origin.name, "line": origin.line or None}
