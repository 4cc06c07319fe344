"""A message's HTML as the pages show it.

The stored HTML was cleaned when the message was written, in the form that Zulip's clients expect. Here it is parsed
again and written out. Only the tags and attributes that are named below reach a page, and no picture of another site
does. What Zulip's own pages do with scripts and sprites (emoji, spoilers, links to channels) becomes plain HTML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from html.parser import HTMLParser
from urllib.parse import unquote, urlencode

from markupsafe import Markup

_PLAIN = {
    "blockquote", "br", "code", "del", "em", "hr", "li", "p", "pre", "strong", "tbody", "thead", "tr", "ul",
}  # fmt: skip
_EMPTY = {"br", "hr"}
_CLASSES = {"user-mention", "user-group-mention", "topic-mention", "stream", "stream-topic", "timestamp-error"}
_ALIGNED = re.compile(r"text-align:\s*(left|center|right)")
_EMOJI = re.compile(r"\bemoji-([0-9a-f]{1,6}(?:-[0-9a-f]{1,6})*)\b")
_NARROW = re.compile(r"/?#narrow/(?:channel|stream)/(\d{1,9})[^/]*(?:/(?:topic|subject)/([^/]*))?")
_ADDRESS = re.compile(r"(https?://|mailto:|/(?!/))", re.IGNORECASE)

Attributes = Mapping[str, str]
Writer = Callable[[Attributes], tuple[str, str]]
"""A function from a tag's attributes to the HTML that opens it and the HTML that closes it."""


def shown_html(rendered: str, viewer_id: int) -> Markup:
    """The HTML of a message for one reader's page, on which the reader's own mentions stand out."""
    writer = _Writer(viewer_id)
    writer.feed(rendered)
    writer.close()
    return Markup(writer.text())  # noqa: S704  written tag by tag


def emoji_text(code: str, name: str) -> str:
    """An emoji by its code on the wire. If it has no character, its name between colons."""
    try:
        return "".join(chr(int(part, 16)) for part in code.split("-")).encode().decode()
    except (ValueError, OverflowError):
        return f":{name}:"


class _Writer(HTMLParser):
    """Writes what it parses, tag by tag. Of unknown tags only the text stays."""

    def __init__(self, viewer_id: int) -> None:
        super().__init__(convert_charrefs=True)
        self._viewer_id = str(viewer_id)
        self._out: list[str] = []
        self._open: list[tuple[str, str]] = []
        """The open tags, each with what closes it."""
        self._silent_from: int | None = None
        """How many tags were open at the start of a text that was replaced by something else."""

    def text(self) -> str:
        """Everything that was written, with all tags closed."""
        return "".join([*self._out, *(end for _, end in reversed(self._open))])

    def handle_data(self, data: str) -> None:
        if self._silent_from is None:
            self._out.append(escape(data, quote=False))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent_from is not None and tag not in _EMPTY:
            self._open.append((tag, ""))
            return
        begin, end = self._tag(tag, {name: value or "" for name, value in attrs})
        if self._silent_from is None or tag not in _EMPTY:
            self._out.append(begin)
        if tag not in _EMPTY and tag != "img":
            self._open.append((tag, end))

    def handle_endtag(self, tag: str) -> None:
        if all(opened != tag for opened, _ in self._open):
            return
        while True:
            opened, end = self._open.pop()
            self._out.append(end)
            if self._silent_from is not None and len(self._open) < self._silent_from:
                self._silent_from = None
            if opened == tag:
                return

    def _tag(self, tag: str, given: Attributes) -> tuple[str, str]:
        """What opens and what closes a tag on the pages."""
        if tag == "p" and any(end == "</summary>" for _, end in self._open):
            return "<span>", "</span>"
        if tag in _PLAIN:
            return f"<{tag}>", f"</{tag}>"
        if tag == "span":
            return self._span(given)
        write = _TAGS.get(tag)
        return write(given) if write is not None else ("", "")

    def _span(self, given: Attributes) -> tuple[str, str]:
        classes = given.get("class", "").split()
        if "emoji" in classes:
            code = _EMOJI.search(given.get("class", ""))
            name = given.get("title", "")
            self._silent_from = len(self._open) + 1
            shown = emoji_text(code[1], name) if code else f":{name}:"
            return f'<span class="emoji" role="img" aria-label="{escape(name)}">{escape(shown)}', "</span>"
        kept = [each for each in classes if each in _CLASSES]
        if given.get("data-user-id") == self._viewer_id:
            kept.append("is-me")
        return (f'<span class="{" ".join(kept)}">' if kept else "<span>"), "</span>"


def _link(given: Attributes) -> tuple[str, str]:
    address = given.get("href", "")
    narrow = _NARROW.fullmatch(address)
    if narrow is not None:
        return f'<a href="{escape(_place_url(narrow[1], narrow[2]))}">', "</a>"
    if _ADDRESS.match(address) is None:
        return "<span>", "</span>"
    return f'<a href="{escape(address)}" rel="noopener noreferrer">', "</a>"


def _place_url(channel_id: str, topic: str | None) -> str:
    """The URL of a channel or topic on the pages. A topic's name is encoded as in Zulip's URLs."""
    place = {"channel": channel_id}
    if topic is not None:
        place["topic"] = unquote(topic.replace(".", "%"))
    return f"/messages/?{urlencode(place)}"


def _division(given: Attributes) -> tuple[str, str]:
    match given.get("class", ""):
        case "spoiler-block":
            return '<details class="spoiler">', "</details>"
        case "spoiler-header":
            return "<summary><strong>Spoiler</strong> ", "</summary>"
        case "spoiler-content":
            return '<div class="spoiler-content">', "</div>"
    return "<div>", "</div>"


def _cell(tag: str) -> Writer:
    def write(given: Attributes) -> tuple[str, str]:
        aligned = _ALIGNED.search(given.get("style", ""))
        return (f'<{tag} class="align-{aligned[1]}">' if aligned else f"<{tag}>"), f"</{tag}>"

    return write


def _list(given: Attributes) -> tuple[str, str]:
    start = given.get("start", "")
    return (f'<ol start="{start}">' if start.isdecimal() else "<ol>"), "</ol>"


def _heading(_given: Attributes) -> tuple[str, str]:
    # The page has an outline of its own.
    return '<p class="message-heading">', "</p>"


def _table(_given: Attributes) -> tuple[str, str]:
    # A wide table scrolls by itself, by keyboard too.
    return '<div class="message-table" tabindex="0" role="group" aria-label="Table"><table>', "</table></div>"


def _picture(given: Attributes) -> tuple[str, str]:
    return escape(given.get("alt", "")), ""


def _moment(given: Attributes) -> tuple[str, str]:
    return f'<time datetime="{escape(given.get("datetime", ""))}" data-shows="exact">', "</time>"


_TAGS: Mapping[str, Writer] = {
    "a": _link,
    "div": _division,
    "img": _picture,
    "ol": _list,
    "table": _table,
    "td": _cell("td"),
    "th": _cell("th"),
    "time": _moment,
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), _heading),
}
