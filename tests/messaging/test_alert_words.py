"""Where an alert word occurs in a text."""

from __future__ import annotations

import pytest

from keybearer.server.domain.messaging.alert_words import first_token, is_in, searchable, tokens_in


@pytest.mark.parametrize(
    ("word", "text", "alerted"),
    [
        ("lunch", "Who wants LUNCH?", True),
        ("Lunch", "lunchtime", False),
        ("lunch", "brunch, lunch.", True),
        ("lunch", "`lunch`", True),
        ("lunch", "#lunch", False),
        ("lunch break", "a lunch break!", True),
        ("c++", "we write c++ here", True),
        ("node.js", "node.js, again", True),
        ("straße", "STRASSE", True),
        ("!!", "well !!", True),
        ("lunch", "```\nlunch\n```", False),
        ("lunch", "```quote\nlunch\n```", True),
        ("lunch", "```\ncode\n```\nlunch", True),
        ("lunch", "~~~~ py\n~~~\nlunch", False),
    ],
)
def test_a_word_alerts_if_it_stands_by_itself_outside_of_code(word: str, text: str, alerted: bool) -> None:
    # As in Zulip: in any case, and only between characters that may surround a word.
    searched = searchable(text)
    assert is_in(word, searched) is alerted
    if alerted:
        assert first_token(word) in tokens_in(searched)
