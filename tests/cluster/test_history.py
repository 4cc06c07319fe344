"""The check of a history finds every broken promise, and nothing in a sound history."""

from __future__ import annotations

from tests.cluster.history import Call, History


def test_a_sound_history_breaks_no_promise() -> None:
    history = History(
        [
            Call("use", "app1", "old", 1, 2, 200),
            Call("regenerate", "app1", "old", 3, 4, 200, ends=True),
            Call("probe", "app2", "old", 3.5, 5, 200),  # it began before the answer
            Call("probe", "app2", "old", 4.1, 5, 401),
            Call("use", "app2", "new", 5, 6, 503),
            Call("regenerate", "app2", "new", 7, 17, 0, ends=True),
            Call("use", "app1", "new", 18, 19, 401),  # nobody knows whether it has ended
            Call("use", "app1", "new", 18, 19, 200),
        ],
        good_since={"old": 0, "new": 4},
        messages={"a"},
    )
    assert history.violations({"a", "b"}) == []


def test_a_use_of_an_ended_key_is_found() -> None:
    ends = Call("deactivate", "app1", "k", 1, 2, 200, ends=True)
    history = History([ends, Call("probe", "app2", "k", 2.5, 3, 200)])
    assert history.violations(()) == ["probe at app2 succeeded with a key that had ended 0.500 s before"]


def test_a_refusal_of_a_good_key_is_found() -> None:
    history = History([Call("use", "app1", "k", 2, 3, 401)], good_since={"k": 1})
    assert history.violations(()) == ["use at app1 was refused with a good key"]


def test_a_lost_message_is_found() -> None:
    assert History(messages={"a", "b"}).violations({"b"}) == ["the message a was acknowledged and is lost"]
