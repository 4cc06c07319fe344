"""Where alert words occur in a text, however long it is."""

from __future__ import annotations

import pytest

from keybearer.server.domain.messaging.alert_words import WordsIn, first_token, searchable, tokens_in
from keybearer.server.domain.messaging.channels import name_key
from keybearer.server.services.messaging.alert_words import alerted
from tests.steps import most_steps_at_once

MOST_STEPS = 30_000
"""Calls of functions between two turns of other work: three for each character of a text."""


@pytest.mark.parametrize(
    ("word", "text", "is_found"),
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
        ("lunch", "word " * 1500 + "lunch", True),
        ("café", "x" * 300 + " cafe\u0301", True),
    ],
)
def test_a_word_alerts_if_it_stands_by_itself_outside_of_code(word: str, text: str, is_found: bool) -> None:
    # As in Zulip: in any case, and only between characters that may surround a word.
    searched = searchable(text)
    wanted = name_key(word)
    assert (wanted in WordsIn(searched).of_length(len(wanted))) is is_found
    if is_found:
        assert first_token(word) in tokens_in(searched)


async def test_finding_alert_words_takes_no_longer_for_more_words_of_the_same_lengths() -> None:
    text = "-=" * 4000 + "a"
    taken = []
    for parts in ("-", "-=", "-=+*"):
        words = [(1, (parts * 100)[start : start + length]) for start in range(len(parts)) for length in range(1, 100)]
        found, most = await most_steps_at_once(alerted(words, text))
        assert found == set()
        taken.append(most)
    assert max(taken) < MOST_STEPS
