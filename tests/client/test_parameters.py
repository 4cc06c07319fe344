"""The encoding of any path and any value."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer import Secret
from keybearer.client.operations.parameters import api_path, encode_parameters, encode_value, merged, segment
from keybearer.errors import UnusableRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
WHOLE_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(JSON.filter(lambda value: not isinstance(value, str)))
def test_values_other_than_text_are_written_as_json(value: Any) -> None:
    written = encode_value("x", value)
    assert isinstance(written, str)
    assert json.loads(written) == value


@given(WHOLE_TEXT)
def test_text_is_written_as_it_is(text: str) -> None:
    assert encode_value("x", text) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes", "\ud800", Secret("\ud800")])
def test_a_value_that_cannot_be_written_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(UnusableRequest, match="x"):
        encode_value("x", value)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(UnusableRequest):
        encode_value("x", value)


def test_tuples_and_sets_are_written_as_lists() -> None:
    assert encode_value("x", ({"b", "a"}, (1, 2))) == '[["a","b"],[1,2]]'


def test_none_is_not_sent_but_false_is() -> None:
    assert encode_parameters({"a": None, "b": False, "c": 0, "d": ""}) == (("b", "false"), ("c", "0"), ("d", ""))


def test_named_parameters_override_those_of_the_dict() -> None:
    assert merged({"a": 1, "b": 2}, b=3, c=None) == {"a": 1, "b": 3}


@given(st.text())
def test_no_path_leads_outside_the_api(path: str) -> None:
    try:
        quoted = api_path(path)
    except UnusableRequest:
        return
    parts = urlsplit(f"https://chat.example.com/api/v1/{quoted}")
    assert (parts.netloc, parts.query, parts.fragment) == ("chat.example.com", "", "")
    assert parts.path.isascii()
    assert not {".", ".."} & set(parts.path.split("/"))


@given(WHOLE_TEXT)
def test_a_value_in_a_path_stays_one_part_of_it(text: str) -> None:
    try:
        quoted = segment(text)
    except UnusableRequest:
        assert text in {"", ".", ".."}
        return
    assert not set("/?#\\") & set(quoted)
    assert unquote(quoted) == text
