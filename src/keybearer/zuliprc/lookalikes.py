"""Recognizes files that people use as a zuliprc by mistake: a web page, JSON, a `.env` file, an encrypted file, ...

Settings are read from it if they are unambiguous. The message names the kind of file and never its content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from keybearer.zuliprc.fields import BY_FILE_KEY, EMAIL, FIELDS, KEY, SECTION, Field


@dataclass(frozen=True, slots=True)
class Lookalike:
    """What a file is instead of a zuliprc, such as `a web page (HTML)`, and what to do about it.

    `settings` are its settings by their names in a zuliprc, if it has an email and a key; else it is empty.
    """

    what: str
    hint: str
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def text(self) -> str:
        """The zuliprc with its settings."""
        return "".join(f"{line}\n" for line in (f"[{SECTION}]", *(f"{k}={v}" for k, v in self.settings.items())))


_CONVERT = "Write its settings as lines name=value below a line [api]; `keybearer doctor --fix` does that"
_DOWNLOAD = "Download the zuliprc again from the settings of your organization, or run `keybearer login`"
_DECRYPT = "Decrypt it first: a zuliprc can also come from a pipe, as in -c <(decrypt FILE)"

_ENCRYPTED = ("$ANSIBLE_VAULT", "-----BEGIN PGP MESSAGE", "-----BEGIN AGE ENCRYPTED FILE", "age-encryption.org/")
_DOCUMENTS = {
    "PK\x03\x04": "a ZIP archive or an office document",
    "%PDF-": "a PDF document",
    "{\\rtf": "an RTF document",
}
_ONE_LINE = re.compile(r"\[api\](?:\s|\\r|\\n)+(?=\S)")
_PAIR = re.compile(r"([A-Za-z_]+)\s*=\s*(\S+)")
_DOTENV = re.compile(r"(?:(?:export|set|env)\s+|\$env:)?([A-Z][A-Z0-9_]*)\s*=\s*(.*)", re.IGNORECASE)
_YAML = re.compile(r"[\s-]*[\"']?([A-Za-z_]+)[\"']?\s*:(?:\s+(.*))?")
_FENCE = re.compile(r"\s*(?:```|~~~)\w*\s*\Z")

_NAMES: Mapping[str, Field[Any]] = {
    **{
        name.lower().removeprefix("zulip_"): one
        for one in FIELDS.values()
        for name in (one.argument, one.variable, *one.mistaken)
        if name
    },
    **BY_FILE_KEY,
}


def recognize(text: str) -> Lookalike | None:
    """What `text` is, if it is one of these; None for a zuliprc and for everything else."""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith(_ENCRYPTED) or ("sops" in text and "ENC[AES256" in text):
        return Lookalike("an encrypted file", _DECRYPT)
    if start.startswith("<?xml") and "<html" not in start:
        return Lookalike("an XML file", _DOWNLOAD)
    if re.match(r"<(?:!doctype|html|head|body|\?xml|!--)", start, re.IGNORECASE):
        return Lookalike("a web page (HTML)", _DOWNLOAD)
    for beginning, what in _DOCUMENTS.items():
        if start.startswith(beginning):
            return Lookalike(what, _DOWNLOAD)
    found = _settings_in(start)
    return None if found is None else _of_settings(*found)


def _settings_in(start: str) -> tuple[str, Iterable[tuple[str, str]]] | None:
    """The kind of text, with its names and values."""
    lines = [line.strip() for line in start.splitlines() if line.strip() and line.strip()[0] not in "#;"]
    variables = [found for line in lines if (found := _DOTENV.fullmatch(line))]
    one_line = _ONE_LINE.match(start) if len(lines) == 1 else None
    if start.startswith("{"):
        return "a JSON file", _in_json(start)
    if lines and _FENCE.match(lines[0]):
        pairs = [found for line in lines if (found := _PAIR.fullmatch(line))]
        return "a piece of Markdown, with its fence (```)", [(found[1], found[2]) for found in pairs]
    if one_line:
        return "a zuliprc whose line breaks are lost", _PAIR.findall(re.sub(r"\\r|\\n", " ", start[one_line.end() :]))
    if len(variables) == len(lines) and any(found[1].startswith("ZULIP_") for found in variables):
        return "a file of environment variables (.env)", [(found[1], found[2]) for found in variables]
    if lines and (lines[0] == "---" or re.match(r"[A-Za-z_]+:\Z", lines[0])):
        return "a YAML file", [(found[1], found[2] or "") for line in lines if (found := _YAML.fullmatch(line))]
    return None


def _in_json(text: str) -> Iterator[tuple[str, str]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    inner = value.get(SECTION) if isinstance(value, dict) else None
    for name, one in (inner if isinstance(inner, dict) else value).items():
        if isinstance(one, str | bool):
            yield name, str(one).lower() if isinstance(one, bool) else one


def _of_settings(what: str, pairs: Iterable[tuple[str, str]]) -> Lookalike:
    """The settings among the pairs, if they are complete, known and unique, and each fits in a line."""
    settings: dict[str, str] = {}
    certain = True
    for name, value in pairs:
        plain = name.lower().removeprefix("zulip_")
        known = _NAMES.get(plain)
        text = value.strip().strip("\"'").strip()
        if known is None or not text:
            continue
        key = plain if plain in BY_FILE_KEY else known.name
        certain &= key not in settings and text.isprintable() and "\\" not in text
        settings[key] = text
    complete = certain and EMAIL.name in settings and KEY.name in settings
    return Lookalike(what, _CONVERT if complete else _DOWNLOAD, settings if complete else {})
