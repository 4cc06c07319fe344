"""Where an alert word stands in a text, and how many choices an account can make."""

from __future__ import annotations

import pytest

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.limits import MOST_ALERT_WORDS, MOST_DEFAULT_CHANNELS, MOST_MUTED_USERS, MOST_USER_TOPICS
from keybearer.server.domain.messaging import alert_words, channels, muted_users, user_topics
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
def test_a_word_alerts_where_it_stands_by_itself_outside_of_code(word: str, text: str, alerted: bool) -> None:
    # As in Zulip: in any case, and only between what may stand around a word.
    searched = searchable(text)
    assert is_in(word, searched) is alerted
    if alerted:
        assert first_token(word) in tokens_in(searched)


def test_lists_of_choices_have_a_limit_that_a_refusal_names() -> None:
    for check, most in (
        (alert_words.check_count, MOST_ALERT_WORDS),
        (user_topics.check_count, MOST_USER_TOPICS),
        (muted_users.check_count, MOST_MUTED_USERS),
        (channels.check_default_count, MOST_DEFAULT_CHANNELS),
    ):
        check(most)
        with pytest.raises(Refused, match=f"at most {most} "):
            check(most + 1)
