"""Checks and fixes the settings of a zuliprc, line by line.

A fix never changes the value for a program that could already read the setting.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePath
from urllib.parse import urlsplit, urlunsplit

from keybearer.api_key import is_well_formed
from keybearer.cli.commands.doctor.draft import ZuliprcDraft
from keybearer.cli.commands.doctor.findings import Finding
from keybearer.errors import ResolutionError
from keybearer.zuliprc import literal, values
from keybearer.zuliprc.credentials import normalise_site
from keybearer.zuliprc.document import Document, DocumentEntry
from keybearer.zuliprc.fields import (
    BY_FILE_KEY,
    CLIENT_BUNDLE,
    CLIENT_CERT,
    CLIENT_CERT_KEY,
    EMAIL,
    INSECURE,
    KEY,
    PASSCMD,
    SECTION,
    SITE,
)
from keybearer.zuliprc.review import likely_field

_COMMENT = re.compile(r"\s+(?=[#;])")


@dataclass(frozen=True, slots=True)
class DraftSetting:
    """A setting while it is fixed: its text, and the comment after it."""

    key: str = field(repr=False)
    text: str = field(repr=False)
    place: str
    comment: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RuleContext:
    """The document of a setting, and the directories that its paths are relative to."""

    document: Document
    paths: values.Surroundings


Rule = Callable[[DraftSetting, RuleContext], tuple[DraftSetting, Finding | None]]


def fix_settings(draft: ZuliprcDraft, paths: values.Surroundings) -> tuple[ZuliprcDraft, list[Finding]]:
    """The draft with every setting as `name=value`, in the form that all programs read; and the findings."""
    context = RuleContext(draft.document(), paths)
    changes: dict[int, list[str]] = {}
    findings: list[Finding] = []
    for entry in context.document.entries.values():
        found = DraftSetting(entry.key, entry.text.reveal(), draft.place(entry.line))
        setting = found
        for rule in _RULES:
            setting, finding = rule(setting, context)
            findings += [finding] if finding else []
        if not setting.key:
            changes[entry.line] = []
        elif setting.key in BY_FILE_KEY and _is_loose(entry, draft.line(entry.line)):
            findings.append(_loose(setting))
        elif setting == found:
            continue
        if setting.key in BY_FILE_KEY:
            changes[entry.line] = [*filter(None, [setting.comment]), f"{setting.key}={setting.text}"]
    return _with_both_bundle_names(_swapped(draft.with_lines(changes), findings), findings)


def _name_it(setting: DraftSetting, context: RuleContext) -> tuple[DraftSetting, Finding | None]:
    if setting.key in BY_FILE_KEY:
        return setting, None
    likely = likely_field(setting.key)
    if likely is None:
        unknown = f"This setting is unknown; nothing reads it in [{SECTION}]"
        return setting, Finding(
            "unknown_setting", unknown, setting.place, "Remove it, or move it to the section of its program"
        )
    there = next((entry for key in likely.file_keys if (entry := context.document.get(key))), None)
    if there is not None:
        taken = f"This setting is unknown; the similar {likely.name} is also set"
        return setting, Finding("unknown_setting", taken, setting.place, "Remove one of them")
    name = get_close_matches(setting.key, likely.file_keys, n=1, cutoff=0)[0]
    return dataclasses.replace(setting, key=name), Finding(
        "misspelt_setting",
        "This setting is unknown, so it has no effect",
        setting.place,
        f"Did you mean {name}?",
        f"it is renamed to {name}",
    )


def _take_quotes_off(setting: DraftSetting, context: RuleContext) -> tuple[DraftSetting, Finding | None]:
    if not _is_plain(setting) or not literal.has_quotes_around(setting.text):
        return setting, None
    return dataclasses.replace(setting, text=setting.text[1:-1].strip()), Finding(
        "suspicious_value",
        "The value has quotes around it, which some programs read as part of it",
        setting.place,
        "Write only the value",
        "the quotes are removed",
    )


def _move_comment(setting: DraftSetting, context: RuleContext) -> tuple[DraftSetting, Finding | None]:
    behind = _COMMENT.search(setting.text) if _is_plain(setting) else None
    if behind is None:
        return setting, None
    moved = dataclasses.replace(setting, text=setting.text[: behind.start()], comment=setting.text[behind.end() :])
    return moved, Finding(
        "suspicious_value",
        "The value has a comment after it, which some programs read as part of it",
        setting.place,
        "Move the comment to its own line",
        "the comment is moved to its own line",
    )


def _show_invisible(setting: DraftSetting, context: RuleContext) -> tuple[DraftSetting, Finding | None]:
    hidden = literal.invisible_characters(setting.text) if _is_plain(setting) else []
    if not hidden:
        return setting, None
    return dataclasses.replace(setting, text=literal.bare(literal.without_invisible(setting.text))), Finding(
        "invisible_character",
        f"The value has an invisible character ({', '.join(hidden)})",
        setting.place,
        "Type the value again",
        "it is removed",
    )


def _take_brackets_off(setting: DraftSetting, context: RuleContext) -> tuple[DraftSetting, Finding | None]:
    bracketed = re.fullmatch(r"<\s*(?:mailto:)?([^<>\s]+)\s*>", setting.text)
    if setting.key not in {EMAIL.name, SITE.name, KEY.name} or bracketed is None:
        return setting, None
    return dataclasses.replace(setting, text=bracketed[1]), Finding(
        "angle_brackets",
        "The value has angle brackets around it, which are not part of it",
        setting.place,
        "Write only the value",
        "the angle brackets are removed",
    )


def _drop_empty(setting: DraftSetting, context: RuleContext) -> tuple[DraftSetting, Finding | None]:
    if setting.text or setting.key not in _REFUSED_EMPTY:
        return setting, None
    return dataclasses.replace(setting, key=""), Finding(
        "empty_setting",
        f"Zulip's Python bindings refuse an empty {setting.key}",
        setting.place,
        "Remove the line",
        "the line is removed",
    )


_REFUSED_EMPTY = frozenset(
    {INSECURE.name, CLIENT_CERT.name, CLIENT_CERT_KEY.name, CLIENT_BUNDLE.name, *CLIENT_BUNDLE.aliases}
)


def _double_percent(setting: DraftSetting, context: RuleContext) -> tuple[DraftSetting, Finding | None]:
    if not _is_plain(setting) or "%" not in setting.text.replace("%%", ""):
        return setting, None
    try:
        text = literal.escape(literal.unescape(setting.text))
    except ResolutionError:  # it refers to another value, which is a separate fault
        return setting, None
    return dataclasses.replace(setting, text=text), Finding(
        "single_percent",
        "With a single % in it, Zulip's Python bindings do not read the file",
        setting.place,
        "Write %% instead",
        "it becomes %%",
    )


def _make_absolute(setting: DraftSetting, context: RuleContext) -> tuple[DraftSetting, Finding | None]:
    known = BY_FILE_KEY.get(setting.key)
    text = _plain_value(setting)
    if known is None or known.parser is not values.parse_path or not text or PurePath(text).is_absolute():
        return setting, None
    path = values.parse_path(text, context.paths)
    return dataclasses.replace(setting, text=literal.escape(path)), Finding(
        "relative_path",
        "The path is not absolute: Keybearer starts at this file's directory, other programs at their own",
        setting.place,
        f"Write {path}",
        f"it becomes {path}",
    )


def _shape_site(setting: DraftSetting, context: RuleContext) -> tuple[DraftSetting, Finding | None]:
    text = _plain_value(setting)
    if setting.key != SITE.name or not text:
        return setting, None
    try:
        site, fault = normalise_site(text), ""
    except ResolutionError as error:
        site, fault = _without_extras(text), error.message
    if not site or site == text:
        return setting, None
    if fault:
        finding = Finding("bad_url", fault, setting.place, f"Write {site}", f"it becomes {site}")
    else:
        finding = Finding(
            "site_shape",
            f"The site {_difference(text, site)}, which some programs do not understand",
            setting.place,
            f"Write {site}",
            f"it becomes {site}",
        )
    return dataclasses.replace(setting, text=literal.escape(site)), finding


_RULES: tuple[Rule, ...] = (
    _name_it,
    _show_invisible,
    _take_quotes_off,
    _move_comment,
    _take_quotes_off,
    _take_brackets_off,
    _drop_empty,
    _make_absolute,
    _shape_site,
    _double_percent,
)
"""A comment may be after quotes, so quotes are checked again after it is removed."""


def _is_plain(setting: DraftSetting) -> bool:
    """Whether the text is a plain value. In a command, quotes are part of the text."""
    return setting.key in BY_FILE_KEY and setting.key != PASSCMD.name


def _plain_value(setting: DraftSetting) -> str:
    """The value of the text; empty if it refers to another value, which is reported elsewhere."""
    try:
        return literal.unescape(setting.text)
    except ResolutionError:
        return ""


def _without_extras(text: str) -> str:
    """The site in a longer address, such as one from a browser; empty if there is none."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        return normalise_site(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))
    except (ResolutionError, ValueError):
        return ""


def _difference(text: str, site: str) -> str:
    """Why the form of a valid site is not the normal one."""
    lower = text.lower()
    if "://" not in text:
        return "has no scheme"
    if lower.rstrip("/").endswith(("/api", "/api/v1")):
        return "ends in /api"
    if text.endswith("/"):
        return "ends in a slash"
    return "has capitals in its host or scheme" if lower == site.lower() else "is not in its normal form"


def _is_loose(entry: DocumentEntry, line: str) -> bool:
    return line[: entry.start] != f"{entry.key}=" or line[entry.end :] != ""


def _loose(setting: DraftSetting) -> Finding:
    return Finding(
        "loose_form",
        "The setting is not in the form name=value, without spaces and in lower case",
        setting.place,
        f"Write {setting.key}=…",
        f"it becomes {setting.key}=…",
    )


def _swapped(draft: ZuliprcDraft, findings: list[Finding]) -> ZuliprcDraft:
    """The draft with email and key swapped back, if they were swapped."""
    document = draft.document()
    email, key = document.get(EMAIL.name), document.get(KEY.name)
    if email is None or key is None or not (is_well_formed(email.text.reveal()) and "@" in key.text.reveal()):
        return draft
    findings.append(
        Finding(
            "swapped_identity",
            "The email and the key are swapped",
            draft.place(email.line),
            "Swap them",
            "they are swapped back",
        )
    )
    return draft.with_lines(
        {email.line: [f"{EMAIL.name}={key.text.reveal()}"], key.line: [f"{KEY.name}={email.text.reveal()}"]}
    )


def _with_both_bundle_names(draft: ZuliprcDraft, findings: list[Finding]) -> tuple[ZuliprcDraft, list[Finding]]:
    """If the bundle has only its documented name, add the name that programs read."""
    alias = CLIENT_BUNDLE.aliases[0]
    document = draft.document()
    entry = document.get(CLIENT_BUNDLE.name)
    if entry is None or alias in document.entries:
        return draft, findings
    line = draft.line(entry.line)
    finding = Finding(
        "one_bundle_name",
        f"Zulip's Python bindings ignore {CLIENT_BUNDLE.name}: they read {alias}",
        draft.place(entry.line),
        f"Add a line {alias}=… with the same value",
        f"{alias} is added beside it",
    )
    return draft.with_lines({entry.line: [f"{alias}={entry.text.reveal()}", line]}), [*findings, finding]


def lines_of(findings: list[Finding]) -> Iterator[Finding]:
    """The findings in the order of lines. Those about the whole file are first."""
    yield from sorted(findings, key=lambda one: int(end) if (end := one.place.rpartition(":")[2]).isdigit() else 0)
