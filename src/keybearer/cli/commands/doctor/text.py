"""Checks and fixes the text of a zuliprc: its bytes, its sections, and lines that are not settings.

No finding shows the content of a line, since it may be the key.
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Callable

from keybearer.cli.commands.doctor.draft import ZuliprcDraft
from keybearer.cli.commands.doctor.findings import Finding, of_error
from keybearer.errors import ResolutionError
from keybearer.zuliprc.document import DEFAULT_SECTION, Document, DocumentEntry
from keybearer.zuliprc.fields import BY_FILE_KEY, SECTION
from keybearer.zuliprc.lookalikes import recognize

_BOM = "\ufeff"
_WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HEADER = re.compile(r"\s*\[(.*)\]")
_KEY_LINE = re.compile(r"\s*key\s*[=:]\s*\S", re.IGNORECASE)

Repair = Callable[[ZuliprcDraft, int], ZuliprcDraft | None]
"""A function that fixes the fault in this line of the draft; it returns None if it cannot."""


def read(data: bytes, path: str) -> tuple[ZuliprcDraft | None, list[Finding]]:
    """The text in these bytes in the form that every program reads (None for no text), and the findings."""
    text, findings = _decoded(data, path)
    if text is None:
        return None, findings
    if text.startswith(_BOM):
        text = text.removeprefix(_BOM)
        findings.append(
            Finding(
                "byte_order_mark",
                "The file begins with a byte order mark (BOM)",
                path,
                "Save it as UTF-8 without a BOM",
                "the byte order mark is removed",
            )
        )
    if (found := recognize(text)) is not None:
        said = "it is rewritten as a zuliprc" if found.settings else ""
        fault = Finding("not_a_zuliprc", f"This is {found.what}, not a zuliprc", path, found.hint, said)
        return (ZuliprcDraft.made(found.text, path) if found.settings else None), [fault]
    if "\r" in text:
        ends = "CRLF" if "\r\n" in text else "CR"
        findings.append(
            Finding(
                "line_ends",
                f"Lines end in {ends}",
                path,
                "Save it with Unix line ends (LF)",
                "all line ends become LF",
            )
        )
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return ZuliprcDraft.of(text, path), findings


def _decoded(data: bytes, path: str) -> tuple[str | None, list[Finding]]:
    for mark, encoding in _WIDE.items():
        if data.startswith(mark):
            text = _decode(data, encoding)
            if text is not None:
                fault = Finding(
                    "encoding",
                    "The file is UTF-16, as Windows writes it, instead of UTF-8",
                    path,
                    "Save it as UTF-8",
                    "it is converted to UTF-8",
                )
                return text, [fault]
    try:
        return Document.read(data, path).text(), []
    except ResolutionError as error:
        return None, [of_error(error)]


def _decode(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def fix_structure(draft: ZuliprcDraft) -> tuple[ZuliprcDraft, list[Finding]]:
    """The draft with its section and one setting per line, as far as possible; and the findings."""
    findings: list[Finding] = []
    draft, renamed = _with_section_named(draft)
    findings += renamed
    told: set[tuple[str, str]] = set()
    while fault := min(
        (one for one in draft.document().faults if _name_of(draft, one) not in told), key=_is_late, default=None
    ):
        told.add(_name_of(draft, fault))
        repair, said = _REPAIRS[fault.kind]
        fixed = repair(draft, _line_of(fault))
        findings.append(_in_file(draft, of_error(fault, fix=said if fixed else "")))
        draft = fixed or draft
    draft, moved = _without_defaults(draft)
    return draft, [*findings, *moved, *_second_accounts(draft)]


def _with_section_named(draft: ZuliprcDraft) -> tuple[ZuliprcDraft, list[Finding]]:
    """No program reads a section that only looks like `[api]`."""
    document = draft.document()
    for section, line in document.sections.items():
        if not document.has_section and section.strip().lower() == SECTION:
            fault = Finding(
                "missing_section",
                f"The name of the section is not exactly [{SECTION}], so nothing in it is read",
                draft.place(line),
                f"Write [{SECTION}]: lower case, no spaces",
                f"the section is renamed to [{SECTION}]",
            )
            return draft.with_lines({line: [f"[{SECTION}]"]}), [fault]
    if line := document.account_section():
        fault = Finding(
            "missing_section",
            f"The account is in another section than [{SECTION}], where no program looks for it",
            draft.place(line),
            f"Write the line as [{SECTION}]",
            f"the section is renamed to [{SECTION}]",
        )
        return draft.with_lines({line: [f"[{SECTION}]"]}), [fault]
    return draft, []


def _without_defaults(draft: ZuliprcDraft) -> tuple[ZuliprcDraft, list[Finding]]:
    """Move settings of `[DEFAULT]` into `[api]`, since other programs do not support a default section."""
    document = draft.document()
    entries = [document.entries[key] for key in sorted(document.defaults & BY_FILE_KEY.keys())]
    if not entries or document.faults:
        return draft, []
    header = document.sections[SECTION]
    moved = [draft.line(entry.line) for entry in entries]
    changes: dict[int, list[str]] = {header: [draft.line(header), *moved], **{one.line: [] for one in entries}}
    findings = [
        Finding(
            "default_section",
            f"The setting is in [{DEFAULT_SECTION}], which only Keybearer and Zulip's Python bindings read",
            draft.place(entry.line),
            f"Move it into [{SECTION}]",
            f"it is moved into [{SECTION}]",
        )
        for entry in entries
    ]
    return draft.with_lines(changes), findings


def _put_header(draft: ZuliprcDraft, line: int) -> ZuliprcDraft | None:
    if any((found := _HEADER.match(text)) and found[1] == SECTION for text in draft.lines):
        return None
    if _setting_in(draft.line(line)) is None:
        return None
    return draft.with_lines({line: [f"[{SECTION}]", draft.line(line)]})


def _unindent(draft: ZuliprcDraft, line: int) -> ZuliprcDraft | None:
    setting = _setting_in(draft.line(line).strip())
    if setting is None or setting.key in draft.document().entries:
        return None
    return draft.with_lines({line: [draft.line(line).strip()]})


def _drop_duplicate(draft: ZuliprcDraft, line: int) -> ZuliprcDraft | None:
    again = _setting_in(draft.line(line).strip())
    if again is None or draft.document().entries[again.key].text != again.text:
        return None
    return draft.with_lines({line: []})


def _join_sections(draft: ZuliprcDraft, line: int) -> ZuliprcDraft | None:
    above = [found[1] for text in draft.lines[: line - 1] if (found := _HEADER.match(text))]
    joined = draft.with_lines({line: []})
    if draft.lines[line - 1].strip() != f"[{SECTION}]":  # text after the bracket may be important, so the line stays
        return None
    if above[-1] != SECTION or any(fault.kind == "duplicate_key" for fault in joined.document().faults):
        return None
    return joined


_REPAIRS: dict[str, tuple[Repair, str]] = {
    "no_section_header": (_put_header, f"[{SECTION}] is added above it"),
    "malformed_line": (_unindent, "it is moved to the beginning of its line"),
    "duplicate_key": (_drop_duplicate, "it is removed, since both have the same value"),
    "duplicate_section": (_join_sections, "they are joined"),
}


def _setting_in(line: str) -> DocumentEntry | None:
    """The known setting that a line would be in `[api]`; None if it would not be one."""
    entries = Document(f"[{SECTION}]\n{line}\n").entries
    return next((entry for key, entry in entries.items() if key in BY_FILE_KEY), None)


def _line_of(fault: ResolutionError) -> int:
    return int(fault.place.rpartition(":")[2])


def _is_late(fault: ResolutionError) -> bool:
    """Whether it depends on other fixes: two sections are joined only if they have no conflicting values."""
    return fault.kind == "duplicate_section"


def _name_of(draft: ZuliprcDraft, fault: ResolutionError) -> tuple[str, str]:
    """The part of a fault that stays the same while other lines are fixed."""
    return fault.kind, draft.in_file(fault.place)


def _in_file(draft: ZuliprcDraft, finding: Finding) -> Finding:
    return dataclasses.replace(finding, place=draft.in_file(finding.place), message=draft.in_file(finding.message))


def _second_accounts(draft: ZuliprcDraft) -> list[Finding]:
    section = ""
    findings = []
    for number, text in enumerate(draft.lines, start=1):
        if header := _HEADER.match(text):
            section = header[1]
        elif section not in {"", SECTION, DEFAULT_SECTION} and _KEY_LINE.match(text):
            findings.append(
                Finding(
                    "second_account",
                    f"There is a key outside of [{SECTION}]; many programs would use it as the account's key",
                    draft.place(number),
                    "Put every account into its own file: see `keybearer profiles`",
                )
            )
    return findings
