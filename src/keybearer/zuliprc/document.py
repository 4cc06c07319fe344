"""A zuliprc as text: reads it with the line of every setting, edits it in place, and renders a new one.

Reading accepts everything that all programs read in the same way. The rest is an error with its line. No error shows
the content of a line, since it may be the key. See `literal` for what a value may contain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, final

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials, normalise_site
from keybearer.zuliprc.fields import BY_FILE_KEY, EMAIL, KEY, PASSCMD, SECTION, SITE, WRITTEN_ORDER
from keybearer.zuliprc.literal import escape, is_encodable, refuse_unsafe, strip_blanks, unescape

DEFAULT_SECTION = "DEFAULT"

_BOM = "\ufeff"
_ENDS = "\r\n"
_ORDER = [key for setting in (*WRITTEN_ORDER, PASSCMD) for key in reversed(setting.file_keys)]
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A setting of `[api]` as it is in the file: its key in lower case, its stripped text, its line (from 1).

    `start` and `end` are the position of the text in the line. The text of every setting is a Secret here, and the repr
    hides the key too, since an unknown key may be a secret in the wrong place.
    """

    key: str = field(repr=False)
    text: Secret
    line: int
    start: int
    end: int


@final
class Document:
    """The text of one zuliprc. It is immutable; edits return a new one.

    `faults` are the errors of the text, in the order of its lines. `parse` raises the first of them, `read` none. The
    repr does not show the text, and a document cannot be pickled.
    """

    __slots__ = ("_bom", "_lines", "defaults", "entries", "faults", "path", "sections")

    def __init__(self, text: str, path: str = "") -> None:
        self.path = path
        self._bom = _BOM if text.startswith(_BOM) else ""
        self._lines: tuple[str, ...] = tuple(_LINES.findall(text[len(self._bom) :]))
        self.entries: dict[str, DocumentEntry] = {}
        """The settings of `[api]`, known and unknown, by their key in lower case."""
        self.sections: dict[str, int] = {}
        """The line of each section's first header."""
        self.defaults: frozenset[str] = frozenset()
        """The keys of `entries` that are in `[DEFAULT]`, which Zulip's Python bindings read where `[api]` has none."""
        self.faults: list[ResolutionError] = []
        self._read()

    @classmethod
    def read(cls, data: bytes | str, path: str = "") -> Document:
        """Read text, or bytes in UTF-8 with or without a byte order mark; `path` is for errors and origins.

        Raises ResolutionError of kind `encoding`; all other errors are in `faults`.
        """
        text = _decoded(data) if isinstance(data, bytes) else data
        if text is None or not is_encodable(text):
            raise ResolutionError("encoding", "This is not UTF-8", place=path, hint="Save it as UTF-8 in your editor")
        return cls(text, path)

    @classmethod
    def parse(cls, data: bytes | str, path: str = "") -> Document:
        """As `read`, but raise the first fault."""
        document = cls.read(data, path)
        if not document.faults:
            return document
        from keybearer.zuliprc.lookalikes import recognize  # noqa: PLC0415 - only for a file that is no zuliprc

        if (found := recognize(document.text())) is not None:
            raise ResolutionError(
                "no_section_header", f"This is {found.what}, not a zuliprc", place=path, hint=found.hint
            )
        raise document.faults[0]

    def get(self, key: str) -> DocumentEntry | None:
        """The entry of this key in `[api]`; None if it is absent or empty. An empty setting counts as not set."""
        entry = self.entries.get(key)
        return entry if entry and entry.text else None

    @property
    def has_section(self) -> bool:
        """Whether there is a section `[api]`."""
        return SECTION in self.sections

    @property
    def has_byte_order_mark(self) -> bool:
        """Whether the text begins with U+FEFF, which most readers cannot handle."""
        return bool(self._bom)

    @property
    def has_more_than_settings(self) -> bool:
        """Whether there are comments, other sections or unknown settings, which a person has added."""
        known = self.has_section + sum(key in BY_FILE_KEY for key in self.entries)
        return sum(not line.isspace() for line in self._lines) > known

    def account_section(self) -> int:
        """The line of the only section, where it is not `[api]` and has an email and a key; else 0."""
        if self.has_section or len(self.sections) != 1:
            return 0
        (line,) = self.sections.values()
        renamed = self.with_lines({line: f"[{SECTION}]\n"})
        return line if not renamed.faults and renamed.get(KEY.name) and renamed.get(EMAIL.name) else 0

    def place(self, line: int) -> str:
        """How errors and origins name a line."""
        return f"{self.path}:{line}" if self.path else f"line {line}"

    def text(self) -> str:
        """The whole text, including the key."""
        return self._bom + "".join(self._lines)

    def to_bytes(self) -> bytes:
        """The whole text, encoded for a file."""
        return self.text().encode()

    def with_value(self, key: str, value: str) -> Document:
        """This document with another value for an existing key. Every other character stays.

        Raises KeyError if there is no such key, UnsafeValueError if a file cannot contain the value.
        """
        refuse_unsafe(key, value, is_command=key == PASSCMD.name)
        entry, text = self.entries[key], escape(value)
        line = self._lines[entry.line - 1]
        return self.with_lines({entry.line: line[: entry.start] + text + line[entry.end :]})

    def settings(self) -> dict[str, str]:
        """The value of every known setting that is set, by its key in the file. `%%` is returned as `%`.

        Raises ResolutionError of kind `interpolation`.
        """
        return {
            key: unescape(entry.text.reveal())
            for key, entry in self.entries.items()
            if key in BY_FILE_KEY and entry.text
        }

    def with_settings(self, settings: Mapping[str, str]) -> Document:
        """This document with these settings, by key, instead of its own. Comments, order and other sections stay.

        Its other settings are removed. New settings are placed where a new file would have them.
        Raises UnsafeValueError.
        """
        document = self if self.has_section else Document(f"{self._bom}[{SECTION}]\n{''.join(self._lines)}", self.path)
        document = document.with_lines(
            {entry.line: "" for key, entry in document.entries.items() if key in BY_FILE_KEY and key not in settings}
        )
        above = document.sections[SECTION]
        for key in sorted(settings, key=_ORDER.index):
            refuse_unsafe(key, settings[key], is_command=key == PASSCMD.name)
            if key not in document.entries:
                document = document.with_line_below(above, f"{key}={escape(settings[key])}")
            elif not _says(document.entries[key], settings[key]):
                document = document.with_value(key, settings[key])
            line = document.entries[key].line
            above = line if _ORDER.index(key) < _ORDER.index(KEY.name) else max(above, line)
        return document

    def with_plain_line_ends(self) -> Document:
        """This document in the form that every program can read: no byte order mark, and LF line ends."""
        return Document("".join(f"{line.rstrip(_ENDS)}\n" for line in self._lines), self.path)

    def with_lines(self, lines: Mapping[int, str]) -> Document:
        """This document with other text, line end included, for the lines of these numbers."""
        return Document(
            self._bom + "".join(lines.get(number, line) for number, line in enumerate(self._lines, start=1)), self.path
        )

    def with_line_below(self, above: int, text: str) -> Document:
        """This document with one more line, with the indentation and line end of the lines around it."""
        line = self._lines[above - 1]
        body = line.rstrip(_ENDS)
        first = self._lines[0]
        end = line[len(body) :] or first[len(first.rstrip(_ENDS)) :] or "\n"
        pattern = next((self._lines[e.line - 1] for e in self.entries.values() if e.line >= above), body)
        indentation = pattern[: len(pattern) - len(pattern.lstrip())]
        return self.with_lines({above: f"{body}{end}{indentation}{text}{line[len(body) :]}"})

    def __repr__(self) -> str:
        return f"Document({len(self._lines)} lines)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Document cannot be pickled: the key is in it")

    def _read(self) -> None:
        """Read the lines as Python's configparser does, so that the bindings and we see the same settings.

        There, a line that is indented deeper than the setting above continues that setting; here it is a fault.
        """
        section: str | None = None
        defaults: dict[str, DocumentEntry] = {}
        setting_indentation: int | None = None
        for number, line in enumerate(self._lines, start=1):
            body = line.strip()
            if not body or body[0] in "#;":
                continue
            indentation = len(line) - len(line.lstrip())
            if setting_indentation is not None and indentation > setting_indentation:
                if section in {SECTION, DEFAULT_SECTION}:
                    self._fault(
                        number, "malformed_line", "The line is indented, so some programs join it to the one above"
                    )
                continue
            if body[0] == "[" and body.rfind("]") > 1:  # `[]` names no section: configparser reads it as a setting
                section = body[1 : body.rindex("]")]
                setting_indentation = None
                self._read_header(number, section)
                continue
            if section is None:
                self._fault(number, "no_section_header", "There is no section header before the first setting")
                return
            setting_indentation = indentation
            if section == SECTION:
                self._read_setting(number, line, self.entries)
            elif section == DEFAULT_SECTION:
                self._read_setting(number, line, defaults)
        if self.has_section:
            self.defaults = frozenset(defaults.keys() - self.entries.keys())
            self.entries |= {key: defaults[key] for key in defaults if key in self.defaults}

    def _read_header(self, number: int, section: str) -> None:
        if section == SECTION and section in self.sections:
            self._fault(number, "duplicate_section", f"The section [{SECTION}] occurs twice")
        self.sections.setdefault(section, number)

    def _read_setting(self, number: int, line: str, entries: dict[str, DocumentEntry]) -> None:
        equals, colon = line.find("="), line.find(":")
        delimiter = equals if colon < 0 or 0 <= equals < colon else colon
        key = line[:delimiter].strip().lower() if delimiter >= 0 else ""
        if not key:
            self._fault(number, "malformed_line", "The line is neither a setting nor a comment")
        elif key in entries:
            first = entries[key].line
            self._fault(number, "duplicate_key", f"The setting occurs twice; the first is in line {first}")
        else:
            raw = line[delimiter + 1 :].rstrip(_ENDS)
            text = strip_blanks(raw)
            start = delimiter + 1 + (raw.index(text) if text else len(raw))
            entries[key] = DocumentEntry(key, Secret(text), number, start, start + len(text))

    def _fault(self, number: int, kind: str, message: str) -> None:
        self.faults.append(ResolutionError(kind, message, place=self.place(number), hint=_HINTS[kind]))


_HINTS = {
    "duplicate_key": "Keep one of them",
    "duplicate_section": "Keep one of them; a second account belongs in a file of its own (see `keybearer profiles`)",
    "malformed_line": "A setting is name=value, at the beginning of its line",
    "no_section_header": f"Put [{SECTION}] in a line above it",
}


def render_zuliprc(credentials: Credentials) -> str:
    """The text of a new zuliprc, byte for byte that of Zulip's web app. It has lines for TLS only if they are set.

    Raises UnsafeValueError if a value could not be read back unchanged, and ResolutionError if the site is invalid
    (`bad_url`) or there is a `client_cert_key` without a `client_cert` (`key_without_cert`).
    """
    lines = (f"{key}={escape(value)}\n" for key, value in setting_lines(credentials))
    return f"[{SECTION}]\n{''.join(lines)}"


def render_botserverrc(sections: Mapping[str, Credentials]) -> str:
    """One file with several bots, for `zulip-botserver`: a section for each, with the settings of a zuliprc."""
    return "\n".join(
        render_zuliprc(credentials).replace(f"[{SECTION}]", f"[{name}]", 1) for name, credentials in sections.items()
    )


def botserver_section(email: str) -> str:
    """The default name of a bot's section: the part of its address before `-bot@`."""
    return email.partition("@")[0].removesuffix("-bot")


def setting_lines(credentials: Credentials) -> Iterator[tuple[str, str]]:
    """Each key with its value in the order of a new zuliprc; raises as `render_zuliprc` does.

    An alias goes before the documented name: Zulip's bindings read the first of the bundle's two, the document has
    the second, and both are written.
    """
    if credentials.tls.client_cert_key and not credentials.tls.client_cert:
        raise key_without_cert()
    for setting in WRITTEN_ORDER:
        text = setting.written(credentials)
        if text is not None:
            for key in reversed(setting.file_keys):
                refuse_unsafe(key, text)
                yield key, normalise_site(text) if setting is SITE else text


def key_without_cert(place: str = "") -> ResolutionError:
    """The error for a private key without a certificate."""
    return ResolutionError(
        "key_without_cert",
        "client_cert_key is set, but client_cert is not",
        place=place,
        hint="Set client_cert to the file with the certificate",
    )


def _says(entry: DocumentEntry, value: str) -> bool:
    try:
        return unescape(entry.text.reveal()) == value
    except ResolutionError:
        return False


def _decoded(data: bytes) -> str | None:
    """The text, or None. The UnicodeDecodeError contains the data, so it must not be another error's context."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
