"""A Secret returns its text only from `reveal()`."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.masking import MASK
from keybearer.secret import Secret

TEXTS = st.text(min_size=5).filter(lambda text: text.strip() and text not in f"[{Secret('')!r:>40}]")


@given(TEXTS)
def test_no_way_of_printing_a_secret_shows_it(text: str) -> None:
    secret = Secret(text)

    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", f"{secret} {secret!r}", f"{[secret]}"]

    assert not any(text in form for form in shown)


@given(TEXTS)
def test_revealing_a_secret_returns_the_exact_text(text: str) -> None:
    assert Secret(text).reveal() == text


def test_a_secret_inside_a_dataclass_stays_hidden_in_its_repr() -> None:
    @dataclass(frozen=True)
    class Holder:
        key: Secret

    assert "tops3cret" not in repr(Holder(Secret("tops3cret")))


def test_a_secret_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret("tops3cret"))


def test_a_secret_cannot_be_written_as_json() -> None:
    with pytest.raises(TypeError):
        json.dumps({"key": Secret("tops3cret")})


def test_a_logged_secret_stays_hidden(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("key %s, %r", Secret("tops3cret"), Secret("tops3cret"))

    assert "tops3cret" not in caplog.text


def test_secrets_are_equal_when_their_texts_are() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("a"))


def test_a_copy_of_a_secret_is_the_secret() -> None:
    secret = Secret("tops3cret")

    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("x")


def test_a_secret_contains_only_text() -> None:
    with pytest.raises(TypeError):
        Secret(Secret("nested"))  # type: ignore[arg-type]


def test_a_masked_secret_shows_only_the_end_of_a_long_text() -> None:
    assert Secret("kb0123456789abcdefghijklmnopWXYZ").masked() == f"{MASK}WXYZ"
    assert Secret("short").masked() == MASK
