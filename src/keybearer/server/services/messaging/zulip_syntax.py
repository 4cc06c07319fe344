"""Zulip's own syntax in Markdown: mentions, links to channels and topics, emoji, and bare URLs as links."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from keybearer.server.services.messaging import emoji

_MENTION = re.compile(r"@(?P<silent>_?)\*\*(?P<name>[^*|\n]{0,100})(\|(?P<id>\d{1,9}))?\*\*")
_CHANNEL = re.compile(r"#\*\*(?P<name>[^*>\n]{1,60})(>(?P<topic>[^*\n]{0,60}))?\*\*")
_EMOJI = re.compile(r":(?P<name>[\w+-]{1,64}):")
_ADDRESS = re.compile(r"(https?://|www\.(?=\w))[^\s<>\"'`\\^{}|*]{1,2000}", re.IGNORECASE)
_TIME = re.compile(r"<time:(?P<time>[^>\n]{1,100})>")
_CHANNEL_WILDCARDS = ("all", "everyone", "stream", "channel")
_TOPIC_WILDCARD = "topic"


def named_people(text: str) -> tuple[set[str], set[int]]:
    """The names and the ids in a text's mentions. Not all of them need to be mentions in the end."""
    matches = list(_MENTION.finditer(text))
    return {match["name"] for match in matches if match["name"]}, {int(match["id"]) for match in matches if match["id"]}


def named_channels(text: str) -> set[str]:
    """The names of channels to which a text links."""
    return {match["name"] for match in _CHANNEL.finditer(text)}


def add_marks(parser: MarkdownIt) -> None:
    """Add Zulip's syntax to a parser."""
    parser.inline.ruler.before("emphasis", "mention", _mention)
    parser.inline.ruler.before("emphasis", "channel", _channel)
    parser.inline.ruler.before("emphasis", "emoji", _emoji)
    parser.inline.ruler.before("emphasis", "underscores", _underscores)
    parser.inline.ruler.before("autolink", "time", _time)
    parser.inline.ruler.before("emphasis", "written emoji", _written_emoji)
    # `text` of markdown-it does not stop at all characters that may begin a mark. Most of a text is plain, so that rule
    # comes first.
    parser.inline.ruler.before("text", "plain", _plain)
    parser.inline.ruler.before("text", "address", _address)
    parser.inline.ruler.disable("text")
    parser.inline.ruler.push("no mark", _no_mark)


def _plain(state: StateInline, silent: bool) -> bool:
    """Everything up to the next character that may begin a mark."""
    return _append_text(state, _PLAIN.match(state.src, state.pos, state.posMax), silent=silent)


def _no_mark(state: StateInline, silent: bool) -> bool:
    """A character that might have begun a URL or an emoji, but did not."""
    return _append_text(state, _BEGINNING.match(state.src, state.pos, state.posMax), silent=silent)


def _append_text(state: StateInline, match: re.Match[str] | None, *, silent: bool) -> bool:
    if match is None:
        return False
    if not silent:
        state.pending += match[0]
    state.pos = match.end()
    return True


_MARKS = r"\n!#$%&*+\-:<=>@\[\\\]^_`{}~"
_BEGINNINGS = "hHwW\u2000-\u206f\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\u3000-\u303f\u3200-\u32ff\U0001f100-\U0001fa9f"
"""The characters with which a URL or an emoji may begin. On their own they are text."""

_PLAIN = re.compile(rf"(?:[^{_MARKS}{_BEGINNINGS}]+|(?<=\w)[hHwW])+")  # no URL begins in the middle of a word
_BEGINNING = re.compile(f"[{_BEGINNINGS}]")


def _mention(state: StateInline, silent: bool) -> bool:
    match = _MENTION.match(state.src, state.pos, state.posMax)
    html = None if match is None else _mention_html(match, state.env, silent=silent)
    return _append_html(state, match, html, silent=silent)


def _mention_html(match: re.Match[str], env: Any, *, silent: bool) -> str | None:  # noqa: ANN401  markdown-it's own
    name, is_silent = match["name"], bool(match["silent"]) or env["quoted"]
    found, at = env["found"], "" if is_silent else "@"
    quiet = " silent" if is_silent else ""
    person = _person(name, match["id"], env["names"])
    if person is not None:
        if not is_silent and not silent:
            found["mentioned"].add(person[0])
        return f'<span class="user-mention{quiet}" data-user-id="{person[0]}">{at}{escape(person[1])}</span>'
    if match["id"] is None and name in _CHANNEL_WILDCARDS:
        if not is_silent and not silent:
            found["wildcards"].add("channel")
        return f'<span class="user-mention channel-wildcard-mention{quiet}" data-user-id="*">{at}{name}</span>'
    if match["id"] is None and name == _TOPIC_WILDCARD:
        if not is_silent and not silent:
            found["wildcards"].add("topic")
        return f'<span class="topic-mention{quiet}">{at}{name}</span>'
    return None


def _person(name: str, written_id: str | None, names: Any) -> tuple[int, str] | None:  # noqa: ANN401  markdown-it's own
    if written_id is None:
        found: tuple[int, str] | None = names.people.get(name.lower())
        return found
    full_name = names.people_by_id.get(int(written_id))
    if full_name is None or (name and full_name.lower() != name.lower()):
        return None
    return int(written_id), full_name


def _channel(state: StateInline, silent: bool) -> bool:
    match = _CHANNEL.match(state.src, state.pos, state.posMax)
    known = None if match is None else state.env["names"].channels.get(match["name"].lower())
    if match is None or known is None:
        return False
    channel_id, name = known
    href, text, kind = narrow_link(channel_id, name), f"#{name}", "stream"
    if match["topic"] is not None:
        href, text, kind = narrow_link(channel_id, name, match["topic"]), f"#{name} > {match['topic']}", "stream-topic"
    html = f'<a class="{kind}" data-stream-id="{channel_id}" href="{escape(href)}">{escape(text)}</a>'
    return _append_html(state, match, html, silent=silent)


def narrow_link(channel_id: int, name: str, topic: str | None = None) -> str:
    """The URL of a channel or topic in Zulip's web app."""
    link = f"/#narrow/channel/{channel_id}-{_encoded(name.replace(' ', '-'))}"
    return link if topic is None else f"{link}/topic/{_encoded(topic)}"


def _encoded(text: str) -> str:
    """Zulip's encoding for the part after #. Percent signs would be decoded too early, so dots replace them."""
    return quote(text, safe="").replace(".", "%2E").replace("%", ".")


def _emoji(state: StateInline, silent: bool) -> bool:
    match = _EMOJI.match(state.src, state.pos, state.posMax)
    code = None if match is None else emoji.code_of(match["name"])
    if match is None or code is None:
        return False
    return _append_html(state, match, _emoji_html(code, match["name"]), silent=silent)


def _emoji_html(code: str, name: str) -> str:
    words = name.replace("_", " ")
    return f'<span aria-label="{words}" class="emoji emoji-{code}" role="img" title="{words}">:{name}:</span>'


def _written_emoji(state: StateInline, silent: bool) -> bool:
    match = emoji.WRITTEN.match(state.src, state.pos, state.posMax)
    found = None if match is None else emoji.name_of(match[0])
    return _append_html(state, match, None if found is None else _emoji_html(*found), silent=silent)


def _underscores(state: StateInline, silent: bool) -> bool:
    """In Zulip only stars make text bold or italic."""
    end = state.pos
    while end < state.posMax and state.src[end] == "_":
        end += 1
    if end == state.pos:
        return False
    if not silent:
        state.pending += state.src[state.pos : end]
    state.pos = end
    return True


def _time(state: StateInline, silent: bool) -> bool:
    match = _TIME.match(state.src, state.pos, state.posMax)
    return _append_html(state, match, None if match is None else _time_html(match["time"]), silent=silent)


def _time_html(text: str) -> str:
    """A moment, which clients show in their own zone. It is given in ISO 8601 or in seconds since 1970 UTC."""
    try:
        number = text.replace(".", "", 1).isdecimal()
        moment = datetime.fromtimestamp(float(text), UTC) if number else datetime.fromisoformat(text.strip())
        moment = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return f'<span class="timestamp-error">Invalid time format: {escape(text)}</span>'
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{escape(text)}</time>'


def _address(state: StateInline, silent: bool) -> bool:
    if state.linkLevel > 0 or (state.pos and (state.src[state.pos - 1].isalnum() or state.src[state.pos - 1] == "_")):
        return False
    match = _ADDRESS.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    address = match[0].rstrip(".,;:!?")
    unopened = sum(map(address.count, ")]")) - sum(map(address.count, "(["))
    while unopened > 0 and address.endswith((")", "]")):
        address = address[:-1].rstrip(".,;:!?")
        unopened -= 1
    if not silent:
        opening = state.push("link_open", "a", 1)
        target = f"http://{address}" if address[:4].lower() == "www." else address
        opening.attrs = {"href": state.md.normalizeLink(target)}
        state.push("text", "", 0).content = address
        state.push("link_close", "a", -1)
    state.pos += len(address)
    return True


def _append_html(state: StateInline, match: re.Match[str] | None, html: str | None, *, silent: bool) -> bool:
    if match is None or html is None:
        return False
    if not silent:
        state.push("html_inline", "", 0).content = html
    state.pos = match.end()
    return True
