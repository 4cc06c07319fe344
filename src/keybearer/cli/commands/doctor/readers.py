"""Checks how other programs read a zuliprc: Zulip's Python bindings (also used by zulip-terminal), and zulip-js.

It uses the text that `--fix` would leave, so that no other finding is reported twice.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator

from keybearer.cli.commands.doctor.draft import ZuliprcDraft
from keybearer.cli.commands.doctor.findings import Finding
from keybearer.zuliprc import literal
from keybearer.zuliprc.fields import EMAIL, KEY, PASSCMD, SECTION, SITE

_BINDINGS = "Zulip's Python bindings, and zulip-terminal with them"


def check_readers(draft: ZuliprcDraft) -> Iterator[Finding]:
    """Findings about other programs that cannot read the file."""
    document = draft.document()
    refusal = None if document.faults or not document.has_section else _refusal(draft)
    if refusal is not None:
        yield refusal
    if document.get(PASSCMD.name) and not document.get(KEY.name):
        yield Finding(
            "passcmd_of_ours",
            f"Only Keybearer reads {PASSCMD.name}: {_BINDINGS}, and zulip-js do not find a key in this file",
            draft.place(document.entries[PASSCMD.name].line),
            "Start them with `keybearer exec`, which gives them the key",
        )
    for key in (EMAIL.name, KEY.name, SITE.name):
        entry = document.get(key)
        text = entry.text.reveal() if entry else ""
        plain = "%" not in text and not literal.has_comment(text) and not document.faults
        if entry is not None and plain and _in_javascript(text) != text:
            yield Finding(
                "read_differently",
                "zulip-js reads another value here: it reads some of the characters as a comment or as escapes",
                draft.place(entry.line),
                "If you use zulip-js, give the account another email" if key == EMAIL.name else "Check the value",
            )


def _refusal(draft: ZuliprcDraft) -> Finding | None:
    """Why Python's own parser, which the bindings use, refuses a text that Keybearer reads."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(draft.text())
    except configparser.ParsingError as error:
        line = error.errors[0][0]
        what = "this line, which is not a setting or a comment"
    except (configparser.DuplicateOptionError, configparser.DuplicateSectionError) as error:
        line = error.lineno or 1
        what = "a section or a setting that occurs twice"
    except configparser.Error:
        line, what = 1, "something in it"
    else:
        return None
    return Finding(
        "bindings_refuse",
        f"{_BINDINGS}, do not read the file because of {what}, though it is not in [{SECTION}]",
        draft.place(line),
        "Remove the line, or make it a comment with # at its beginning",
    )


def _in_javascript(text: str) -> str:
    """A value as zulip-js reads it, with npm's package `ini`: cut at `;` and `#`, unless a `\\` escapes them."""
    bare = re.sub(r"(?<!\\)[;#].*", "", text).strip()
    return re.sub(r"\\([;#\\])", r"\1", bare)
