"""A Keybearer key is found in every encoding, with any text before and after it."""

from __future__ import annotations

import base64
import html
import io
import json
import quopri
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybearer import api_key
from keybearer.cli.commands.scan.encodings import Rewritten
from keybearer.cli.commands.scan.recognition import search
from keybearer.cli.commands.scan.streams import BLOCK, search_stream

ENCODINGS: dict[str, Callable[[str], str]] = {
    "none": str,
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "Python": repr,
    "a URL": lambda text: quote(text, safe=""),
    "a URL in a URL": lambda text: quote(quote(text, safe=""), safe=""),
    "a URL with every letter encoded": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "HTML": html.escape,
    "HTML with every letter encoded": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "JavaScript with every letter encoded": lambda text: "".join(
        f"\\u{unit[0]:02x}{unit[1]:02x}" for unit in zip(*[iter(text.encode("utf-16-be"))] * 2, strict=True)
    ),
    "C with every letter encoded": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "hexadecimal digits": lambda text: text.encode().hex(),
    "capital hexadecimal digits": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 in indented lines": lambda text: base64.encodebytes(text.encode()).decode().replace("\n", "\n    "),
    "base64 in lines in JSON": lambda text: json.dumps(base64.encodebytes(text.encode()).decode()),
    "base64 in base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "a diff": lambda text: "".join(f"-{line}\n" for line in text.split("\n")),
}

UNTIMED = settings(deadline=None)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=120).filter(
    lambda text: "keybearer:allow" not in text
)


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@UNTIMED
@given(before=TEXT, after=TEXT, glue=st.sampled_from(["", "n", "token", "=", " ", "3D", "é"]))
def test_a_keybearer_key_is_found_in_every_encoding(
    encode: Callable[[str], str], before: str, after: str, glue: str
) -> None:
    key = api_key.generate()
    text = encode(f"{before}{glue}{key.reveal()}{glue}{after}")

    assert key in {leak.key for leak in search(text)}


@UNTIMED
@given(before=st.binary(max_size=90), after=st.binary(max_size=90))
def test_a_keybearer_key_is_found_in_base64_of_any_text(before: bytes, after: bytes) -> None:
    key = api_key.generate()
    text = base64.b64encode(before + key.reveal().encode() + after).decode()

    assert key in {leak.key for leak in search(text)}


@UNTIMED
@given(
    encoding=st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]),
    before=st.binary(max_size=40),
    glue=st.sampled_from(["", "token", " "]),
)
def test_a_keybearer_key_is_found_in_wide_characters_without_a_byte_order_mark(
    encoding: str, before: bytes, glue: str
) -> None:
    key = api_key.generate()
    data = before + b"\0\1" + f"{glue}{key.reveal()}{glue}".encode(encoding)

    assert key in {leak.key for leak in search_stream(io.BytesIO(data))}


def test_a_key_in_encoded_lines_is_reported_with_its_line() -> None:
    key = api_key.generate()
    text = "x" * 570 + f"\nZULIP_API_KEY={key.reveal()}\n" + "y" * 570
    lines = base64.encodebytes(text.encode()).decode()

    assert {leak.line for leak in search(lines) if leak.key == key} == {11}


@UNTIMED
@given(st.text("ab%", max_size=60), st.data())
def test_an_offset_in_a_rewritten_text_maps_to_the_original_offset(text: str, data: st.DataObject) -> None:
    rewritten = Rewritten.of(text, re.compile("%+"), lambda match: data.draw(st.sampled_from(["", "-", "----"])))

    kept = [(offset, letter) for offset, letter in enumerate(rewritten.text) if letter in "ab"]
    assert [text[rewritten.origin(offset)] for offset, _ in kept] == [letter for _, letter in kept]


LINE = BLOCK // 4
EVIL = {
    "one letter": "a" * LINE,
    "starts of keys": "kb" * (LINE // 2),
    "base64 of starts of keys": "a2JrYmti" * (LINE // 32),
    "percent signs": "%25" * (LINE // 3),
    "backslashes": "\\" * LINE,
    "escaped letters": "%61" * (LINE // 3),
    "ampersands": "&amp;" * (LINE // 5),
    "encoded text": base64.b64encode(b"zulip a@x.org " * (LINE // 20)).decode(),
    "short encoded texts": (base64.b64encode(b"zulip_api_key=a@x.org https://x").decode() + " ") * (LINE // 45),
    "things like keys": ("zulip a@x.org q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4M" * 1000)[: LINE // 8],
    "keys beside accounts": "key=q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me a@b.org https://x.org " * (LINE // 60),
    "addresses": ("a@" * 20 + "x.") * (LINE // 42),
    "sections": "[api]\n" * (LINE // 6),
    "allowed keys in one line": "keybearer:allow ZULIP_API_KEY=q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me " * 500,
}


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)
def test_a_text_designed_to_be_slow_is_searched_completely(text: str) -> None:
    key = api_key.generate()

    assert key in {leak.key for leak in search(f"{text}\n{key.reveal()}")}
