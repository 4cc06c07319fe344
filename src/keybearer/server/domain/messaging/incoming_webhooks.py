"""Incoming webhooks: the payloads of services, turned into the text of a message.

The rules follow Zulip's integrations `json` and `slack_incoming`, and Slack's reference of payloads. Parts of a payload
that are not understood are left out: showing a part is better than losing the report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from keybearer.server.domain.messaging.messages import CONTENT_MAX_LENGTH

DEFAULT_TOPICS = {"json": "JSON", "slack_incoming": "(no topic)"}
MOST_PARTS = 200
"""Blocks, attachments, fields or elements of a Slack payload that are read. Later ones are ignored."""

_LONGEST = 2 * CONTENT_MAX_LENGTH
"""Characters that are read. A message has room for fewer."""

_LINK = re.compile(r"<(\w{1,20}://[^|<>\s]+)\|([^<>|]*)>")
_BOLD = re.compile(r"(?<![\w*])\*(?![\s*])([^*\n]+)(?<!\s)\*(?![\w*])")
_ITALIC = re.compile(r"(?<![\w_])_(?![\s_])([^_\n]+)(?<!\s)_(?![\w_])")


def json_text(value: object) -> str:
    """A JSON value as a code block, cut to what a message has room for."""
    room, pieces = CONTENT_MAX_LENGTH - len("```json\n\n…\n```"), []
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        pieces.append(piece[:room])
        room -= len(piece)
        if room < 0:
            pieces.append("\n…")
            break
    return f"```json\n{_without_surrogates(''.join(pieces))}\n```"


def slack_text(payload: object) -> str:
    """The text of a payload for Slack, in Zulip's Markdown. Empty if it has no text."""
    fields = _record(payload)
    parts = [*map(_block, _records(fields, "blocks")), *map(_attachment, _records(fields, "attachments"))]
    text = _joined(parts)
    if not text:
        emoji, said = _text(fields, "icon_emoji"), _text(fields, "text")
        text = f"{emoji} {said}".strip() if said else ""
    linked = _LINK.sub(r"[\2](\1)", _without_surrogates(text[:_LONGEST]).strip())
    return _ITALIC.sub(r"*\1*", _BOLD.sub(r"**\1**", linked).replace("\x00", ""))


def slack_topic(payload: object) -> str | None:
    """The topic of a payload for Slack: the channel that it names."""
    return re.sub("^[@#]", "", _text(_record(payload), "channel")) or None


def _without_surrogates(text: str) -> str:
    """The text without halves of characters, which JSON can hold and a database cannot."""
    return text.encode("utf-8", "replace").decode()


def _record(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _records(fields: dict[str, object], name: str) -> list[dict[str, object]]:
    found = fields.get(name)
    return [_record(each) for each in found[:MOST_PARTS]] if isinstance(found, list) else []


def _text(fields: dict[str, object], name: str) -> str:
    """A text in a payload. It may be written as an object that contains the text."""
    value = fields.get(name)
    found = value.get("text") if isinstance(value, dict) else value
    return found[:_LONGEST].strip() if isinstance(found, str) else ""


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _link(words: str, url: str) -> str:
    """A link, if browsers open such an address and it contains no character that ends a link in Markdown."""
    return f"[{words or url}]({url})" if re.fullmatch(r"https?://[^\s()<>]+", url) else words


def _block(block: dict[str, object]) -> str:
    match block.get("type"):
        case "header":
            title = _text(block, "text")
            return f"## {title}" if title else ""
        case "divider":
            return "----"
        case "image":
            return _image(block)
        case "context":
            return _joined(_element(each) for each in _records(block, "elements"))
        case "section":
            fields = [_text(each, "text") for each in _records(block, "fields")]
            accessory = _record(block.get("accessory"))
            return _joined([_text(block, "text"), _element(accessory), _table([each for each in fields if each])])
    return ""


def _element(element: dict[str, object]) -> str:
    return _image(element) if element.get("type") == "image" else _text(element, "text")


def _image(image: dict[str, object]) -> str:
    return _link(_text(image, "title") or _text(image, "alt_text"), _text(image, "image_url"))


def _table(fields: list[str]) -> str:
    """Fields in pairs, as Slack shows them."""
    if len(fields) <= 1:
        return "".join(fields)
    cells = iter(field.replace("\n", " ").replace("|", " ") for field in fields)
    rows = (f"| {left} | {right} |" for left, right in zip_longest(cells, cells, fillvalue=""))
    return "\n".join(["| | |", "|-|-|", *rows])


def _attachment(attachment: dict[str, object]) -> str:
    title = _link(_text(attachment, "title"), _text(attachment, "title_link"))
    parts = [
        f"## {title}" if title else "",
        _text(attachment, "pretext"),
        _text(attachment, "text"),
        "\n".join(_pairs(_records(attachment, "fields"))),
        *map(_block, _records(attachment, "blocks")),
        _link("", _text(attachment, "image_url")),
        _text(attachment, "footer"),
    ]
    at = attachment.get("ts")
    if isinstance(at, int) and not isinstance(at, bool):
        parts.append(f"<time:{at}>")
    return _joined(parts) or _text(attachment, "fallback")


def _pairs(fields: list[dict[str, object]]) -> Iterator[str]:
    for each in fields:
        title, value = _text(each, "title"), _text(each, "value")
        if title or value:
            yield f"*{title}*: {value}" if title and value else f"*{title}*" if title else value
