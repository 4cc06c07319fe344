"""Checks the key without the server: its form, its checksum, and keys in wrong places."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keybearer.api_key import LENGTH, PREFIX, is_ours, is_well_formed
from keybearer.cli.commands.doctor.findings import Finding
from keybearer.secret import Secret
from keybearer.zuliprc.fields import FIELDS
from keybearer.zuliprc.sources import Source

_COPY_AGAIN = "Copy it again, whole, from the settings of your organization, or run `keybearer login`"

_RUN = re.compile(r"[A-Za-z0-9]{20,}")
"""Text in a path or a site that may be most of a key. Words are shorter and do not mix small letters and capitals."""


def check_key(key: Secret, place: str) -> Iterator[Finding]:
    """Findings about the key itself."""
    text = key.reveal()
    if not is_well_formed(text):
        yield Finding(
            "key_malformed", f"The key is not {LENGTH} letters and digits: {_description(text)}", place, _COPY_AGAIN
        )
    elif text.startswith(PREFIX) and not is_ours(text):
        yield Finding(
            "key_mistyped", "The key looks like one of Keybearer's, but its checksum is wrong", place, _COPY_AGAIN
        )


def _description(text: str) -> str:
    if not (text.isascii() and text.isalnum()):
        return "it has another character in it"
    return f"it has {len(text)}"


def secrets_in(source: Source) -> Iterator[Secret]:
    """Every text of a source that must not be shown: secrets, and text that looks like a secret in another setting."""
    for field in FIELDS.values():
        found = source.find(field)
        if found is None:
            continue
        if field.secret:
            yield found.text
        else:
            yield from (
                Secret(run) for run in _RUN.findall(found.text.reveal()) if not (run.islower() or run.isupper())
            )
