"""Texts inside texts: escapes, wrapped lines, base64 and hexadecimal digits. Pure.

Every pattern here takes time that is linear in the text.
"""

from __future__ import annotations

import base64
import bisect
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from keybearer import api_key
from keybearer.secret import Secret

_HEX = "[0-9A-Fa-f]{2}"
_HEX_OF_KEY = "(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])"
"""The hexadecimal digits of an ASCII letter or digit, with few other matches."""

_QUOTED_PRINTABLE = "=(?:3D|40|3A|2[0-9A-F]|0[9AD]|5[BD]|3[CE])"
"""Only punctuation: `=` before two hexadecimal digits is common in other texts."""

_ESCAPE = re.compile(
    rf"%(?:25)*(?P<percent>{_HEX})|\\+(?:u00|x)(?P<code>{_HEX})|{_QUOTED_PRINTABLE}|\\+[nrt]|\\+(?=[\"'/])"
    r"|\\(?P<octal>[01][0-7]{2})|(?:\x1b|\\+(?:033|x1b|u001b|e))\[[0-9;]{0,12}m"
    r"|&(?:amp;)*(?P<entity>#x?[0-9A-Fa-f]{1,4}|[a-zA-Z]{2,8});"
)
_FOUR_ESCAPED_LETTERS = tuple(
    re.compile(f"{mark}{letter}(?:{mark}{letter}){{3}}")
    for mark, letter in (
        ("%", _HEX_OF_KEY),
        (r"\\", f"(?:u00|x){_HEX_OF_KEY}"),
        (r"\\", "(?:06[0-7]|07[01]|1[0-7]{2})"),
        ("&#", f"(?:x{_HEX_OF_KEY}|4[89]|5[0-7]|6[5-9]|[78][0-9]|9[07-9]|1[01][0-9]|12[0-2]);"),
    )
)
_BASE64_LINE = "[A-Za-z0-9+/]{60}"
_WRAPS = (
    r"=(?<=[A-Za-z0-9]=)\r?\n(?=[A-Za-z0-9])",
    r"\\(?<=[A-Za-z0-9]\\)\r?\n(?=[A-Za-z0-9])",
    *(
        rf"{end}(?<={_BASE64_LINE}{end})[ \t>#*]{{0,16}}(?=[A-Za-z0-9+/])"
        for end in (r"\n", r"\r\n", r"\\n", r"\\r\\n")
    ),
)
"""Line breaks inside a word: those of quoted-printable, of shells and of base64 in lines."""

_WRAP = tuple(map(re.compile, _WRAPS))
_WRAP_OR_ESCAPE = re.compile(f"(?P<wrap>{'|'.join(_WRAPS)})|{_ESCAPE.pattern}")

BEFORE_KEY = re.compile(
    rf"\\(?:[nrtbfv0]|x{_HEX}|u[0-9A-Fa-f]{{4}}|[0-7]{{3}})|%(?:25)*{_HEX}|{_QUOTED_PRINTABLE}|[\[;][0-9]{{0,3}}m"
)
"""An escape whose last characters look like the beginning of the next word."""

_BASE64_OF_KB = tuple(
    re.compile(pattern + "(?=[^\x00-\x08]{38})")
    for pattern in ("a2(?=[I-L])", "ti(?<=[GWm2]ti)", "rY(?<=[BFJNRVZdhlptx159]rY)(?=[g-v])")
)
"""`kb` in base64, where it begins with the first, the second or the third byte of a group of three."""

_HEX_OF_KB = re.compile(rf"6[Bb]62(?={_HEX_OF_KEY}{{30}})")
_BASE64_RUN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{40,}")
_SHORTEST_HEAD = 7
_SHORTEST_TEXT = 24
_BASE64_DIGITS = re.compile(r"[A-Za-z0-9+/_-]{0,48}")
_BASE64_WORD = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{12,}={0,2}")
_STANDARD = str.maketrans("-_", "+/")
_LINE_BREAKS = re.compile(r"\s|\\+[rn]|[\"',>#*\\]")
_UNPRINTABLE = re.compile(r"[^\t\n\r -~\x80-\U0010ffff]")


@dataclass(slots=True)
class Rewritten:
    """A text in which parts of another were replaced. `origin` gives the offset in that other text."""

    text: str = ""
    _starts: list[int] = field(default_factory=list)
    _shifts: list[int] = field(default_factory=list)

    def origin(self, offset: int) -> int:
        index = bisect.bisect_right(self._starts, offset) - 1
        return offset + self._shifts[index] if index >= 0 else offset

    @classmethod
    def of(cls, text: str, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str]) -> Rewritten:
        """`text` with every match of `pattern` replaced."""
        rewritten, pieces, end, length = cls(), [], 0, 0
        for match in pattern.finditer(text):
            replacement = replace(match)
            pieces += [text[end : match.start()], replacement]
            length += match.start() - end + len(replacement)
            end = match.end()
            rewritten._starts.append(length)
            rewritten._shifts.append(end - length)
        rewritten.text = "".join(pieces) + text[end:]
        return rewritten


def rewritten(text: str) -> Rewritten | None:
    """The text without line breaks inside words, and without escapes. None if it has neither such breaks nor escapes of
    letters: other escapes cannot hide a key.
    """
    if any(pattern.search(text) for pattern in (*_FOUR_ESCAPED_LETTERS, *_WRAP)):
        return Rewritten.of(text, _WRAP_OR_ESCAPE, lambda match: "" if match["wrap"] else _unescaped(match))
    return None


def without_escapes(text: str) -> str:
    """A short text with its escapes and its base64 addresses decoded."""
    text = _ESCAPE.sub(_unescaped, text)
    return _BASE64_WORD.sub(_address_or_same, text)


def encoded_keys(text: str) -> Iterator[tuple[int, Secret]]:
    """Our keys in base64 or in hexadecimal digits, whatever precedes them."""
    for match in _HEX_OF_KB.finditer(text):
        start = match.start()
        yield from _checked(start, bytes.fromhex(text[start : start + 2 * api_key.LENGTH]).decode("ascii"))
    for shift, pattern in enumerate(_BASE64_OF_KB):
        for match in pattern.finditer(text):
            start = match.start() - (shift > 0)
            digits = _BASE64_DIGITS.match("A" * shift + _LINE_BREAKS.sub("", text[start : start + 120]))
            decoded = _decode(digits[0]) if digits else b""
            yield from _checked(start, decoded[shift : shift + api_key.LENGTH].decode("latin-1"))


def decoded_texts(text: str) -> Iterator[tuple[int, int, str]]:
    """Every run of base64 that contains text: its start, its end, and that text."""
    for first, end in (match.span() for match in _BASE64_RUN.finditer(text)):
        may_be_cut = text[max(0, first - 1) : first] in {"", "\\", "%", "=", "[", ";"}
        for start in range(first, first + (4 if may_be_cut else 1)):  # the end of an escape may precede it
            if len(_text_of(_decode(text[start : start + 24]))) < _SHORTEST_HEAD:
                continue
            if len(decoded := _text_of(_decode(text[start:end]))) >= _SHORTEST_TEXT:
                yield start, end, decoded
                break


def _checked(start: int, text: str) -> Iterator[tuple[int, Secret]]:
    if api_key.is_ours(text):
        yield start, Secret(text)


def _decode(digits: str) -> bytes:
    """The bytes of base64 in either alphabet, up to the last whole byte. Empty if it is not base64."""
    digits = digits.translate(_STANDARD)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except ValueError:
        return b""


def _text_of(data: bytes) -> str:
    """The text at the beginning of `data`, up to the first byte that is not text."""
    encoding = "utf-16-le" if data[1::2].count(0) > len(data) // 4 else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        text = data[: error.start].decode(encoding)
    unprintable = _UNPRINTABLE.search(text)
    return text[: unprintable.start()] if unprintable else text


def _unescaped(match: re.Match[str]) -> str:
    if digits := match["percent"] or match["code"]:
        return chr(int(digits, 16))
    if match["octal"]:
        return chr(int(match["octal"], 8))
    if match["entity"]:
        return html.unescape(f"&{match['entity']};")
    if match[0][0] == "=":
        return chr(int(match[0][1:], 16))
    return {"n": "\n", "r": "\r", "t": "\t"}.get(match[0][-1], "")


def _address_or_same(match: re.Match[str]) -> str:
    return _decoded_address(match[0]) or match[0]


@lru_cache(maxsize=1000)  # the texts around neighbouring keys have the same words
def _decoded_address(word: str) -> str:
    decoded = _text_of(_decode(word.rstrip("=")))
    return decoded if "@" in decoded or "://" in decoded else ""
