"""A message's HTML on a page: nothing but plain tags, whatever the message says."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.server.services.messaging.markdown import render
from keybearer.server.web.messaging.content import emoji_text, shown_html

ATTRIBUTES = {
    "a": {"href", "rel"},
    "details": {"class"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "ol": {"start"},
    "p": {"class"},
    "span": {"class", "role", "aria-label"},
    "td": {"class"},
    "th": {"class"},
    "time": {"datetime", "data-shows"},
}
TAGS = {
    *ATTRIBUTES, "blockquote", "br", "code", "del", "em", "hr", "li", "pre", "strong", "summary", "table", "tbody",
    "thead", "tr", "ul",
}  # fmt: skip
PIECES = st.sampled_from(
    ["```spoiler x\n", "```\n", "```quote\n", "**", "`", "# ", "> ", "| a | b |\n|:-|-:|\n| c | d |\n", "1. ", "- ",
     "[a](javascript:x)", "[b](https://example.com/?a=1&b=2)", "![c](https://example.com/c.png)", ":tada:", ":zulip:",
     "<time:2026-01-01>", "<script>", "</div>", '"', "&amp;", "\n\n", "/user_uploads/1/a b", "@**all**"]
)  # fmt: skip


class Checking(HTMLParser):
    """Fails at a tag or attribute that is not allowed, and if tags are not nested correctly."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert {name for name, _ in attrs} <= ATTRIBUTES.get(tag, set())
        href = dict(attrs).get("href")
        assert href is None or re.match(r"https?://|mailto:|/[^/]|/$", href)
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(html: str) -> None:
    checking = Checking()
    checking.feed(html)
    checking.close()
    assert checking.open == []


@given(st.lists(PIECES | st.text(max_size=10), max_size=12).map("".join))
def test_only_plain_tags_of_a_message_are_shown(text: str) -> None:
    check(shown_html(render(text).html, 1))


RAW = st.sampled_from(
    ["<div>", "</div>", '<div class="spoiler-block">', '<div class="spoiler-header">',
     '<span class="emoji emoji-1f389">',
     "</span>", "<img src=x onerror=y>", '<a href="//evil.example">', "</a>", "<script>", "</script>", "<p>",
     "<svg/onload=x>", '<td style="text-align:left;color:red">', "text", "<!-- c -->", "<?x>", "<br>", "&lt;b&gt;"]
)  # fmt: skip


@given(st.lists(RAW, max_size=15).map("".join))
def test_uncleaned_html_is_made_plain_too(html: str) -> None:
    check(shown_html(html, 1))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hi :tada:", '<span class="emoji" role="img" aria-label="tada">\N{PARTY POPPER}</span>'),
        (":zulip:", ">:zulip:</span>"),
        ("# Title", '<p class="message-heading">Title</p>'),
        ("|a|\n|-:|\n|1|", '<td class="align-right">1</td>'),
        ("```spoiler who\nme\n```", "<summary><strong>Spoiler</strong> \n<span>who</span>"),
        ("<b>1 & 2</b>", "&lt;b&gt;1 &amp; 2&lt;/b&gt;"),
    ],
)
def test_zulips_syntax_becomes_plain_html(text: str, shown: str) -> None:
    assert shown in shown_html(render(text).html, 1)


def test_a_link_to_a_topic_leads_to_its_page_on_this_site() -> None:
    html = '<a class="stream-topic" data-stream-id="3" href="/#narrow/channel/3-dev-ops/topic/a.20.26.20b">#dev</a>'
    assert 'href="/messages/?channel=3&amp;topic=a+%26+b"' in shown_html(html, 1)


def test_a_mention_stands_out_for_the_mentioned_person() -> None:
    html = '<span class="user-mention" data-user-id="7">@Ada</span>'
    assert shown_html(html, 7) == '<span class="user-mention is-me">@Ada</span>'
    assert shown_html(html, 8) == '<span class="user-mention">@Ada</span>'


@pytest.mark.parametrize(("code", "text"), [("1f389", "🎉"), ("zulip", ":x:"), ("110000", ":x:"), ("d800", ":x:")])
def test_an_emoji_without_a_character_is_shown_by_its_name(code: str, text: str) -> None:
    assert emoji_text(code, "x") == text
