"""Texts and lists of a given size whose shape causes the most work."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

Shape = Callable[[int], str]


def repeated(piece: str) -> Shape:
    """A text that repeats one piece."""
    return lambda size: (piece * (size // len(piece) + 1))[:size]


def listed(entry: str) -> Shape:
    """A JSON list with this many entries, as long as they fit in a request."""
    return lambda size: "[" + ",".join([entry] * min(size, 900_000 // (len(entry) + 1))) + "]"


def _table(size: int) -> str:
    columns = min(256, size // 8)
    head = "|".join("a" * columns) + "\n" + "|".join("-" * columns) + "\n"
    return (head + "a\n" * size)[:size]


def _reference(size: int) -> str:
    return (f'[a]: /{"x" * (size // 4)} "{"y" * (size // 4)}"\n\n' + "[a] " * size)[:size]


def _fences(size: int) -> str:
    body = "a\n"
    for depth in range(3, 12):
        body = "`" * depth + "quote\n" + body + "`" * depth + "\n"
    return (body * (size // len(body) + 1))[:size]


_PIECES = {
    "letters": "a", "brackets": "[", "closing brackets": "]", "pictures": "![", "links": "[a](b)",
    "open links": "[a](", "open titles": '[a](b "c', "footnotes": "[a][b]", "definitions": "[a]: b\n",
    "backticks": "`", "ticks": "`` ` ", "stars": "*", "open stars": "*a **b ", "underscores": "_a", "tildes": "~~a",
    "quotes": ">", "quoted lines": "> a\n", "lists": "- ", "list lines": "- a\n", "numbered": "1. a\n",
    "mixed": "> - ", "headings": "# a\n", "underlined": "a\n=\n", "entities": "&amp;", "open entities": "&#",
    "angles": "<", "comments": "<!-- ", "autolinks": "<http://a>", "addresses": "http://a.b ",
    "bare schemes": "http://", "mentions": "@**all** ", "open mentions": "@**", "channels": "#**a>",
    "emoji": ":smile:", "open emoji": ":a", "pipes": "|", "spaces": " ", "spaced": "a ", "tabs": "\t",
    "newlines": "\n", "lines": "a\n", "hard breaks": "a  \n", "backslashes": "\\", "marks": "\u0315\u0300",
    "marked": "e\u0301", "to the left": "\u200f", "wide": "\ufdfa", "dotted": "İ", "astral": "\U0001f600",
    "percents": "%", "escapes": "%41", "commas": ",", "at signs": "a@", "dots": ".", "dashes": "-", "slashes": "/",
    "nulls": "\x00", "digits": "9", "leet": "4@8({[<369&#!1|0$5+7%2", "words": "word ",
}  # fmt: skip

TEXTS: Mapping[str, Shape] = {
    **{name: repeated(piece) for name, piece in _PIECES.items()},
    "a table": _table,
    "references": _reference,
    "fences": _fences,
    "an open bracket": lambda size: "http://a" + "(" * (size // 2) + ")" * (size // 2),
}
"""Values of plain texts."""

VALUES: Mapping[str, Shape] = {
    "numbers": listed("1"),
    "other numbers": lambda size: json.dumps(list(range(1, min(size, 120_000) + 1))),
    "texts": listed('"a"'),
    "names": lambda size: json.dumps([f"name-{number}" for number in range(min(size, 60_000))]),
    "nulls in a list": listed("null"),
    "empty lists": listed("[]"),
    "pairs": listed('["topic","a"]'),
    "searches": listed('["search","a"]'),
    "channels to follow": lambda size: json.dumps([{"name": f"c{number}"} for number in range(min(size, 30_000))]),
    "descriptions": lambda size: json.dumps(
        [{"name": f"d{each}", "description": "*a " * 300} for each in range(size // 1000)]
    ),
    "fields": lambda size: json.dumps({f"k{number}": "v" for number in range(min(size, 50_000))}),
    "one search": lambda size: json.dumps([["search", "a " * (size // 2)]]),
    "one topic": lambda size: json.dumps([["topic", ("\u0315\u0300" * size)[:size]]], ensure_ascii=False),
    "people": lambda size: json.dumps([["dm-including", [1] * size]]),
    "depth": lambda size: "[" * (size // 2) + "]" * (size // 2),
    "depth below the limit": lambda size: "[" * 900 + '"' + "a" * (size - 1800) + '"' + "]" * 900,
    "a long number": lambda size: "9" * size,
    "a long fraction": lambda size: "1." + "1" * size,
    "a long exponent": lambda size: "1e" + "9" * size,
    "a long text": lambda size: json.dumps("a" * size),
    "surrogates": lambda size: '"' + "\\ud800" * (size // 6) + '"',
    "escaped nulls": lambda size: '"' + "\\u0000" * (size // 6) + '"',
    "not ended": lambda size: '["' + "a" * size,
}
"""Values where JSON is expected. The size is the number of entries of a list, or of characters of a text."""
