"""A zuliprc as text: what is read from it, and what an edit keeps."""

from __future__ import annotations

import configparser
import pickle

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from keybearer.errors import KeybearerError, ResolutionError, UnsafeValueError
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.document import Document, render_zuliprc
from keybearer.zuliprc.fields import BY_FILE_KEY
from keybearer.zuliprc.literal import refuse_unsafe
from tests.zuliprc.strategies import credentials, documents, good_documents, texts

PLAIN = "[api]\nemail=a@x.org\nkey=k1\nsite=https://z.x\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_every_line_end_and_a_byte_order_mark_are_read(end: str, mark: bytes) -> None:
    document = Document.parse(mark + PLAIN.replace("\n", end).encode())

    assert document.settings() == {"email": "a@x.org", "key": "k1", "site": "https://z.x"}
    assert document.has_byte_order_mark == bool(mark)


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_carriage_return_and_line_feed_end_a_line(separator: str) -> None:
    document = Document.parse(f"[api]\nemail=a{separator}key=k2\nkey=k1\n")

    assert document.entries["key"].text == Secret("k1")
    assert document.entries["key"].line == 3


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ("email=a\n[api]\n", "no_section_header", 1),
        ("\n# c\nemail=a\n", "no_section_header", 3),
        ("[api]\nkey\n", "malformed_line", 2),
        ("[api]\n=k1\n", "malformed_line", 2),
        ("[api]\nemail=a\n key=k1\n", "malformed_line", 3),
        ("[api]\nemail=a\n\n# c\n\t[zterm]\n", "malformed_line", 5),
        ("[api]\nkey=1\nKEY=2\n", "duplicate_key", 3),
        ("[api]\nnote=1\nnote=2\n", "duplicate_key", 3),
        ("[api]\nkey=1\n[b]\n[api]\nemail=2\n", "duplicate_section", 4),
    ],
)
def test_an_invalid_text_is_an_error_with_its_line(text: str, kind: str, line: int) -> None:
    with pytest.raises(ResolutionError) as raised:
        Document.parse(text, "/home/me/.zuliprc")

    assert raised.value.kind == kind
    assert raised.value.place == f"/home/me/.zuliprc:{line}"
    assert raised.value.hint


def test_all_faults_of_a_text_can_be_seen_at_once() -> None:
    document = Document.read("[api]\nkey\nemail=a\nemail=b\n  c\n")

    assert [(fault.kind, fault.place) for fault in document.faults] == [
        ("malformed_line", "line 2"),
        ("duplicate_key", "line 4"),
        ("malformed_line", "line 5"),
    ]


@pytest.mark.parametrize("data", [b"[api]\nkey=\xe9\n", "[api]\nkey=k1\n".encode("utf-16")], ids=["latin-1", "utf-16"])
def test_text_that_is_not_utf_8_has_its_own_error(data: bytes) -> None:
    with pytest.raises(ResolutionError) as raised:
        Document.parse(data, "rc")

    assert raised.value.kind == "encoding"
    assert raised.value.__context__ is None  # it would contain the file


def test_sections_of_other_programs_may_contain_anything() -> None:
    document = Document.parse(
        f"[zterm]\nbare line\ntheme=a\ntheme=b\n  more\n[zterm]\n[]\n=x\n{PLAIN}[bot]\nkey=other\n"
    )

    assert document.settings()["key"] == "k1"


def test_an_evenly_indented_section_is_read() -> None:
    assert Document.parse("  [api]\n  email=a\n  key=k1\n").settings() == {"email": "a", "key": "k1"}


def test_an_empty_setting_is_not_set() -> None:
    assert Document.parse("[api]\nkey=\nemail = \u00a0\n").settings() == {}


@given(st.one_of(good_documents(), documents))
@example("[api]\n[]=1\nkey=k1\n")
def test_pythons_parser_reads_every_file_that_we_read(text: str) -> None:
    document = Document.read(text)
    assume(not document.faults and document.has_section)
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    except configparser.Error:
        assume(False)  # it cannot read something in another program's section

    assert {key: entry.text.reveal().strip() for key, entry in document.entries.items()} == dict(parser["api"])


@given(st.one_of(st.binary(max_size=200), documents.map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_read_or_refused_with_our_error(data: bytes) -> None:
    try:
        document = Document.parse(data)
    except KeybearerError:
        return
    assert document.to_bytes() == data


@given(credentials())
def test_a_rendered_file_reads_back_the_same(given_credentials: Credentials) -> None:
    document = Document.parse(render_zuliprc(given_credentials).encode())

    tls = given_credentials.tls
    expected = {
        "client_cert": tls.client_cert,
        "client_cert_key": tls.client_cert_key,
        "email": given_credentials.email,
        "key": given_credentials.api_key.reveal(),
        "site": given_credentials.site,
        "token": given_credentials.token and given_credentials.token.reveal(),
        "cert_bundle": tls.cert_bundle,
        "client_bundle": tls.cert_bundle,
        "insecure": "true" if tls.insecure else None,
    }
    written = {key: value for key, value in expected.items() if value is not None}
    assert document.settings() == written
    assert list(document.entries) == list(written)


@given(good_documents(), texts)
def test_a_new_value_changes_nothing_else(text: str, value: str) -> None:
    document = Document.parse(text)
    assume("key" in document.entries)
    entry = document.entries["key"]
    changed = document.with_value("key", value)

    before, after = document.text(), changed.text()
    start = before.index(entry.text.reveal(), _offset(document, entry.line) + entry.start)
    assert after.startswith(before[:start])
    assert after.endswith(before[start + len(entry.text.reveal()) :])
    assert changed.entries.keys() == document.entries.keys()
    assert changed.settings()["key"] == value


@given(good_documents(), credentials())
@example("[api]\nkey=%(email)s\n", Credentials(email="a@x.org", api_key=Secret("k1"), site=None))
def test_new_credentials_keep_comments_and_other_sections(text: str, new: Credentials) -> None:
    document = Document.parse(text)
    wanted = Document.parse(render_zuliprc(new)).settings()
    changed = document.with_settings(wanted)

    assert changed.faults == []
    assert changed.settings() == wanted
    assert _foreign_lines(changed) == _foreign_lines(document)


def test_in_a_file_of_another_program_the_section_is_added_at_the_top() -> None:
    document = Document.parse("[zterm]\r\ntheme=dark").with_settings({"email": "a", "key": "k"})

    assert document.text() == "[api]\nemail=a\nkey=k\n[zterm]\r\ntheme=dark"


def test_new_lines_have_the_place_of_a_new_file_and_the_style_of_their_neighbours() -> None:
    document = Document.parse("[api]\r\n  # mine\r\n  key = k1\r\n  email: a").with_settings(
        {"email": "b", "key": "k2", "site": "https://z.x", "client_cert": "/c"}
    )

    assert document.text() == "[api]\r\n  client_cert=/c\r\n  # mine\r\n  key = k2\r\n  email: b\r\n  site=https://z.x"


@pytest.mark.parametrize(
    "value",
    ["Q\nsite=x", "Q\rb", "Q\0b", "Q\x7f", "Q\u2028b", " Q", "Q\u00a0", '"Q"', "'Q'", "“Q”", "Q #b", "#Q", "\ud800Q"],
)
def test_a_value_that_cannot_be_read_back_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(UnsafeValueError) as raised:
        refuse_unsafe("email", value)

    assert "email" in str(raised.value)
    assert "Q" not in str(raised.value)


def test_an_empty_value_is_refused() -> None:
    with pytest.raises(UnsafeValueError, match="empty"):
        refuse_unsafe("email", "")


@pytest.mark.parametrize("value", ["50%off", "100%%", "%(key)s", "%", "a=b", "a:b", "o'b", "a#b;c", "[api]", "é"])
def test_a_value_with_special_characters_of_the_format_is_unchanged(value: str) -> None:
    text = render_zuliprc(Credentials(value, Secret("k")))

    assert Document.parse(text).settings()["email"] == value


def test_the_repr_of_a_document_does_not_show_its_text() -> None:
    document = Document.parse("[api]\nkbCanary=x\nkey=kbCanary\n")

    assert "kbCanary" not in f"{document!r} {document} {document.entries!r}".replace("'kbCanary':", "")
    with pytest.raises(TypeError):
        pickle.dumps(document)


def _offset(document: Document, line: int) -> int:
    text = document.text()
    lines = text.replace("\r\n", "\n\n").replace("\r", "\n")
    offset = 1 if document.has_byte_order_mark else 0
    for _ in range(line - 1):
        end = lines.index("\n", offset)
        offset = end + (2 if text[end : end + 2] == "\r\n" else 1)
    return offset


def _foreign_lines(document: Document) -> list[str]:
    """The stripped lines without our settings and section header."""
    known = {entry.line for key, entry in document.entries.items() if key in BY_FILE_KEY}
    lines = document.text().replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").split("\n")
    kept = [line.strip() for number, line in enumerate(lines, start=1) if number not in known]
    return [line for line in kept if line and line != "[api]"]
