"""Keys have Zulip's form, and ours are recognised."""

from __future__ import annotations

import re
import string
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from keybearer import api_key
from keybearer.secret import Secret

ALPHANUMERIC = string.ascii_letters + string.digits
KEYS = st.builds(api_key.generate)


def test_every_zulip_client_accepts_a_generated_key() -> None:
    for _ in range(200):
        assert re.fullmatch(r"[A-Za-z0-9]{32}", api_key.generate().reveal())


def test_a_generated_key_has_our_prefix_and_checksum() -> None:
    for _ in range(200):
        key = api_key.generate().reveal()

        assert key.startswith("kb")
        assert api_key.is_ours(key)


def test_generated_keys_are_unique_and_uniform() -> None:
    keys = [api_key.generate().reveal() for _ in range(5_000)]
    counts = Counter("".join(key[2:26] for key in keys))

    assert len(set(keys)) == len(keys)
    # 120,000 characters: 1935 of each are expected, and six standard deviations are about 260.
    assert set(counts) == set(ALPHANUMERIC)
    assert all(1_670 < count < 2_200 for count in counts.values())


@given(KEYS, st.integers(0, 31), st.sampled_from(ALPHANUMERIC))
def test_a_key_with_one_wrong_character_is_not_ours(key: Secret, position: int, character: str) -> None:
    text = key.reveal()
    mistyped = text[:position] + character + text[position + 1 :]

    assert api_key.is_ours(mistyped) == (mistyped == text)


@given(KEYS, st.integers(0, 30))
def test_a_key_with_two_neighbours_swapped_is_not_ours(key: Secret, position: int) -> None:
    text = key.reveal()
    swapped = text[:position] + text[position + 1] + text[position] + text[position + 2 :]

    assert api_key.is_ours(swapped) == (swapped == text)


@given(st.text())
def test_any_text_can_be_checked(text: str) -> None:
    assert not api_key.is_ours(text)
    assert api_key.is_well_formed(text) == bool(re.fullmatch(r"[A-Za-z0-9]{32}", text))


def test_other_letters_and_a_final_newline_are_not_a_key() -> None:
    assert not api_key.is_well_formed("é" * 32)
    assert not api_key.is_well_formed("٣" * 32)
    assert not api_key.is_well_formed("a" * 32 + "\n")


def test_only_keys_are_found_in_text_with_their_offsets() -> None:
    first, second = api_key.generate(), api_key.generate()
    text = f"key={first.reveal()}\n# {second.reveal()}. kb{'a' * 30}"

    assert api_key.find(text) == [(4, first), (39, second)]


@given(before=st.text(api_key.ALPHABET, max_size=40), after=st.text(api_key.ALPHABET, max_size=40))
def test_a_key_is_found_between_other_letters(before: str, after: str) -> None:
    key = api_key.generate()

    assert api_key.find(before + key.reveal() + after) == [(len(before), key)]


def test_a_fingerprint_identifies_a_key_without_revealing_it() -> None:
    key = api_key.generate()

    assert api_key.fingerprint(key) == api_key.fingerprint(Secret(key.reveal()))
    assert api_key.fingerprint(key) != api_key.fingerprint(api_key.generate())
    assert re.fullmatch(r"[0-9a-f]{8}", api_key.fingerprint(key))
