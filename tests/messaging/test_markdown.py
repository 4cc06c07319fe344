"""Markdown rendered to HTML: safe for any input, with Zulip's own syntax."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.server.domain.errors import Refused
from keybearer.server.services.messaging import emoji
from keybearer.server.services.messaging.markdown import Names, render
from tests.server.shapes import TEXTS

NAMES = Names(
    people={"iago": (5, "Iago"), "a & b": (6, "A & B")},
    people_by_id={5: "Iago", 7: "Iago"},
    channels={"general": (3, "general"), "two words": (4, "two words")},
)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("@**Iago** hi", '<p><span class="user-mention" data-user-id="5">@Iago</span> hi</p>'),
        ("@**iago|7**", '<p><span class="user-mention" data-user-id="7">@Iago</span></p>'),
        ("@_**Iago**", '<p><span class="user-mention silent" data-user-id="5">Iago</span></p>'),
        ("@**A & B**", '<p><span class="user-mention" data-user-id="6">@A &amp; B</span></p>'),
        ("@**all**", '<p><span class="user-mention channel-wildcard-mention" data-user-id="*">@all</span></p>'),
        ("@**topic**", '<p><span class="topic-mention">@topic</span></p>'),
        ("@**Nobody**", "<p>@<strong>Nobody</strong></p>"),
        ("`@**Iago**`", "<p><code>@**Iago**</code></p>"),
        ("#**general**", '<p><a class="stream" data-stream-id="3" href="/#narrow/channel/3-general">#general</a></p>'),
        (
            "#**two words>a topic.**",
            (
                '<p><a class="stream-topic" data-stream-id="4" href="/#narrow/channel/4-two-words/topic/a.20topic.2E">'
                "#two words &gt; a topic.</a></p>"
            ),
        ),
        ("#**nowhere**", "<p>#<strong>nowhere</strong></p>"),
        (
            ":tada:",
            '<p><span aria-label="tada" class="emoji emoji-1f389" role="img" title="tada">:tada:</span></p>',
        ),
        (":nothing: 10:20:30", "<p>:nothing: 10:20:30</p>"),
        (
            "an 🐙!",
            (
                '<p>an <span aria-label="octopus" class="emoji emoji-1f419" role="img" title="octopus">:octopus:</span>'
                "!</p>"
            ),
        ),
        ("__u__ and _i_", "<p>__u__ and _i_</p>"),
        ("www.a.example/x.", '<p><a href="http://www.a.example/x">www.a.example/x</a>.</p>'),
        (
            "<time:2026-11-29T10:00:00+01:00>",
            '<p><time datetime="2026-11-29T09:00:00Z">2026-11-29T10:00:00+01:00</time></p>',
        ),
        ("<time:soon>", '<p><span class="timestamp-error">Invalid time format: soon</span></p>'),
        (
            "see https://a.example/x_y(z).",
            '<p>see <a href="https://a.example/x_y(z)">https://a.example/x_y(z)</a>.</p>',
        ),
        ("[t](http://a.example)", '<p><a href="http://a.example">t</a></p>'),
        ("![p](/user_uploads/1/x/p.png)", '<p><a href="/user_uploads/1/x/p.png">p</a></p>'),
        ("a\nb", "<p>a<br>\nb</p>"),
        ("~~no~~", "<p><del>no</del></p>"),
        (
            "```python\na < b\n```",
            '<div class="codehilite" data-code-language="python"><pre><span></span><code>a &lt; b\n</code></pre></div>',
        ),
        ("```quote\nsaid\n```", "<blockquote>\n<p>said</p>\n</blockquote>"),
    ],
)
def test_zulips_syntax_becomes_zulips_html(text: str, html: str) -> None:
    assert render(text, NAMES).html == html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>)",
        "[x](vbscript:x)",
        "<a href='javascript:x'>y</a>",
        "**<b onclick=x>**",
        "```\n</code><script>\n```",
        "@**A & B<script>**",
        "[x](http://a.example \"on' onclick='x\")",
        "<http://a.example/\"onmouseover='x'>",
        '![x](http://a.example/x"onerror=x)',
    ],
)
def test_no_html_and_no_script_gets_through(text: str) -> None:
    check_is_safe(render(text, NAMES).html)


@given(st.text(alphabet=st.sampled_from("<>\"'&[]()!*_`~#@|:/ \n\\ascript-onhrefdt=;>1."), max_size=120))
def test_whatever_is_written_is_safe(text: str) -> None:
    check_is_safe(render(text, NAMES).html)


@given(st.text(max_size=200))
def test_any_text_can_be_rendered(text: str) -> None:
    render(text, NAMES)


class _Checker(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {
            "script",
            "style",
            "iframe",
            "object",
            "embed",
            "form",
            "input",
            "svg",
            "img",
            "base",
            "meta",
        }
        for name, value in attrs:
            assert not name.startswith("on")
            if name in {"href", "src"}:
                scheme = (value or "").partition(":")[0].lower()
                assert ":" not in (value or "") or scheme in {"http", "https", "mailto"} or "/" in scheme


def check_is_safe(html: str) -> None:
    _Checker().feed(html)


def test_a_mention_in_a_quotation_mentions_nobody() -> None:
    assert render("> @**Iago**\n\nyes", NAMES).mentioned_ids == frozenset()
    assert render("```quote\n@**Iago**\n```", NAMES).mentioned_ids == frozenset()
    assert render("> x\n\n@**Iago**", NAMES).mentioned_ids == {5}
    assert render("@_**Iago**", NAMES).mentioned_ids == frozenset()


def test_what_is_found_in_a_text_is_returned() -> None:
    rendered = render("@**all** [a](/user_uploads/1/x/a.png) https://b.example", NAMES)
    assert rendered.mentions_channel
    assert rendered.has_link
    assert rendered.has_image
    assert rendered.upload_paths == {"1/x/a.png"}


@pytest.mark.parametrize("text", ["[" * 10_000, "> " * 5_000, "```quote\n" * 1_000, "_*" * 5_000, "@**" * 3_000])
def test_a_text_made_to_be_slow_is_still_rendered(text: str) -> None:
    assert render(text, NAMES).html


@pytest.mark.parametrize("length", [300, pytest.param(1000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("shape", TEXTS)
def test_the_html_of_a_text_and_the_work_for_it_are_proportional(shape: str, length: int) -> None:
    few, many = calls_to_render(TEXTS[shape](length)), calls_to_render(TEXTS[shape](10 * length))
    assert many <= 12 * few + 1000


def calls_to_render(text: str) -> int:
    """How many function calls it takes to render a text, or to refuse it. The length of its HTML is checked."""
    calls = 0

    def note(_frame: FrameType, kind: str, _argument: object) -> None:
        nonlocal calls
        calls += kind in ("call", "c_call")

    sys.setprofile(note)
    try:
        html = render(text).html
    except Refused:
        html = ""  # it would become too long
    finally:
        sys.setprofile(None)
    assert len(html) <= 20_000 + 12 * len(text)
    return calls


@pytest.mark.parametrize(
    "text",
    [
        ":smile: :tada: " * 200,
        "@**Iago** " * 300,
        "#**two words>a topic.** " * 200,
        "|" + "a name|" * 12 + "\n|" + "-|" * 12 + "\n" + ("|" + "a value|" * 12 + "\n") * 60,
        "* a\n  * b\n    * c\n" * 300,
        "[home]: https://a.example/page\n\n" + "see [home] " * 300,
        "> " + "word " * 1900,
    ],
    ids=["emoji", "mentions", "channels", "table", "list", "references", "quote"],
)
def test_usual_messages_are_rendered_up_to_the_longest(text: str) -> None:
    assert render(text, NAMES).html


def test_unknown_emoji_names_are_not_cached_for_ever() -> None:
    for number in range(3000):
        render(f":no_{number}:")
    remembered = emoji.code_of.cache_info()
    assert remembered.currsize <= 1024
