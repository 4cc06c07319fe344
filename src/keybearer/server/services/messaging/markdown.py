"""Turns Markdown into HTML that is safe to show: markdown-it parses it, Zulip's own syntax is added, nh3 cleans the
result.

HTML in a message is treated as text. The output of markdown-it is cleaned all the same. The amount of HTML that a text
may become is limited, and so is the work for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.services.context import Context
from keybearer.server.services.messaging.zulip_syntax import add_marks

_DEEPEST = 6
"""How deeply quotes and spoilers may be nested."""

_MOST_HTML_PER_CHARACTER = 12
"""Characters of HTML for each character of the text. Names of emoji grow the most of what people write."""

_FREE_HTML = 20_000
"""Characters of HTML that every text may become."""

_BLOCK_COST = 8
"""Characters of HTML that one token of a block counts as. A cell of a table has three tokens."""

LONGEST_AT_ONCE = 1000
"""Length of a text that is rendered in the event loop, which takes a few milliseconds at most."""

_TAGS = {
    "a", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol",
    "p", "pre", "span", "strong", "table", "tbody", "td", "th", "thead", "time", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"class"},
    "a": {"href", "title", "data-stream-id"},
    "div": {"aria-hidden", "data-code-language"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "span": {"aria-label", "data-user-id", "data-user-group-id", "role", "title"},
    "td": {"style"},
    "th": {"style"},
    "time": {"datetime"},
}
_SCHEMES = {"http", "https", "mailto"}
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


@dataclass(frozen=True, slots=True)
class Names:
    """The accounts and channels that a text may name: accounts by lower-case name and by id, channels by lower-case
    name.
    """

    people: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    people_by_id: Mapping[int, str] = field(default_factory=dict)
    channels: Mapping[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text as HTML, and what was found in it. `upload_paths` are those of files of this server."""

    html: str
    mentioned_ids: frozenset[int] = frozenset()
    mentions_channel: bool = False
    mentions_topic: bool = False
    has_link: bool = False
    has_image: bool = False
    upload_paths: frozenset[str] = frozenset()


class _Budget:
    """The characters of HTML that a text may still become."""

    def __init__(self, text: str) -> None:
        self.left = _FREE_HTML + _MOST_HTML_PER_CHARACTER * len(text)

    def spend(self, characters: int) -> None:
        """Subtract these. Raises Refused with Zulip's words if there are not enough left."""
        self.left -= characters
        if self.left < 0:
            raise Refused("Unable to render message")


class _BlockTokens(list[Token]):
    """The tokens of a text's blocks. Each one counts: tables fill up short rows, with many more cells than text."""

    def __init__(self, budget: _Budget) -> None:
        super().__init__()
        self._budget = budget

    def append(self, token: Token) -> None:
        self._budget.spend(_BLOCK_COST)
        super().append(token)


async def render_for(context: Context, caller: Caller, text: str, names: Names | None = None) -> Rendered:
    """A caller's text as HTML. A long one is rendered in a thread. Raises Refused like `render`, or Overloaded."""
    if len(text) <= LONGEST_AT_ONCE:
        return render(text, names)
    return await context.long_work.run(caller.account.person_id, render, text, names)


async def render_all(context: Context, caller: Caller, texts: Sequence[str]) -> list[str]:
    """Several texts of a caller as HTML, without names. Raises like `render_for`."""

    def render_each() -> list[str]:
        return [render(text).html for text in texts]

    if sum(map(len, texts)) <= LONGEST_AT_ONCE:
        return render_each()
    return await context.long_work.run(caller.account.person_id, render_each)


def render(text: str, names: Names | None = None) -> Rendered:
    """A text as HTML. Raises Refused with Zulip's words if it would become too long."""
    found: dict[str, set[Any]] = {"mentioned": set(), "wildcards": set(), "links": set()}
    env: dict[str, Any] = {
        "names": names or Names(),
        "found": found,
        "depth": 0,
        "quoted": False,
        "budget": _Budget(text),
    }
    parser = _parser()
    html = _cleaned(parser.render(text, env))
    _Budget(text).spend(len(html))
    links = found["links"]
    uploads = frozenset(path for link in links if (path := _upload_path(link)) is not None)
    return Rendered(
        html=html,
        mentioned_ids=frozenset(found["mentioned"]),
        mentions_channel="channel" in found["wildcards"],
        mentions_topic="topic" in found["wildcards"],
        has_link=bool(links),
        has_image=any(urlsplit(link).path.lower().endswith(_PICTURES) for link in links),
        upload_paths=uploads,
    )


def _upload_path(link: str) -> str | None:
    path = urlsplit(link).path
    return path.removeprefix("/user_uploads/") if path.startswith("/user_uploads/") else None


def _cleaned(html: str) -> str:
    return _cleaner().clean(html).strip()


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel=None,
        filter_style_properties={"text-align"},
    )


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    parser.enable(["table", "strikethrough"])
    add_marks(parser)
    parser.core.ruler.at("block", _read_blocks)
    parser.core.ruler.at("inline", _read_inline)
    parser.add_render_rule("s_open", lambda *_: "<del>")
    parser.add_render_rule("s_close", lambda *_: "</del>")
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("code_block", _code_block)
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("image", _image)
    return parser


def _read_blocks(state: StateCore) -> None:
    """markdown-it's own rule, with a limit on the tokens."""
    state.tokens = _BlockTokens(state.env["budget"])
    state.md.block.parse(state.src, state.md, state.env, state.tokens)


def _read_inline(state: StateCore) -> None:
    """markdown-it's own rule. It also records whether it is inside a quotation, where nobody is mentioned."""
    depth = 0
    already = state.env["quoted"]
    for token in state.tokens:
        depth += token.nesting if token.type.startswith("blockquote") else 0
        if token.type == "inline":
            state.env["quoted"] = already or depth > 0
            token.children = token.children or []
            state.md.inline.parse(token.content, state.md, state.env, token.children)
    state.env["quoted"] = already


def _fence(self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    language, _, rest = token.info.strip().partition(" ")
    if language in ("quote", "spoiler") and env["depth"] < _DEEPEST:
        if language == "quote":
            inner = _inner(token.content, {**env, "quoted": True})
            return f"<blockquote>\n{inner}</blockquote>\n"
        inner = _inner(token.content, env)
        header = _inner(rest, env) if rest.strip() else ""
        return (
            f'<div class="spoiler-block"><div class="spoiler-header">\n{header}</div>'
            f'<div class="spoiler-content" aria-hidden="true">\n{inner}</div></div>\n'
        )
    return _code(token.content, language)


def _inner(text: str, env: EnvType) -> str:
    return str(_parser().render(text, {**env, "depth": env["depth"] + 1}))


def _code_block(self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType) -> str:
    return _code(tokens[index].content, "")


def _code(text: str, language: str) -> str:
    named = f' data-code-language="{escape(language)}"' if language else ""
    return f'<div class="codehilite"{named}><pre><span></span><code>{escape(text, quote=False)}</code></pre></div>\n'


def _link_open(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    # A reference is written once and used by many links.
    env["budget"].spend(sum(len(str(value)) for value in tokens[index].attrs.values()))
    env["found"]["links"].add(str(tokens[index].attrGet("href") or ""))
    return self.renderToken(tokens, index, options, env)


def _image(self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType) -> str:
    """A picture is shown as a link to it, as in Zulip: no client fetches the URLs in a message without being asked."""
    source = str(tokens[index].attrGet("src") or "")
    env["budget"].spend(2 * len(source))
    env["found"]["links"].add(source)
    return f'<a href="{escape(source)}">{escape(tokens[index].content or source)}</a>'
