"""A key is masked in every position of a text and in every encoding."""

from __future__ import annotations

import base64
import html
import json
import logging
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keybearer import errors
from keybearer.api_key import ALPHABET, generate
from keybearer.errors import APIError, KeybearerError, KeyNotStored
from keybearer.masking import MASK, mask_log, masked, masked_json, masked_repr

keys = st.text(ALPHABET, min_size=32, max_size=32)
"""Keys of any Zulip server."""

around = st.text(max_size=20)


def every_byte_escaped(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def every_character_as_json(text: str) -> str:
    return "".join(f"\\u{ord(one):04x}" for one in text)


def basic(text: str) -> str:
    return base64.b64encode(f"bot@example.com:{text}".encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "lower": str.lower,
    "url": lambda text: quote(f"bot@example.com:{text}", safe=""),
    "url, every byte": every_byte_escaped,
    "form": lambda text: quote_plus(f"a b={text}"),
    "json": lambda text: json.dumps(f"\n{text}\x1b"),
    "json, every character": every_character_as_json,
    "html": lambda text: html.escape(f"<{text}>"),
    "repr": lambda text: repr(f"\n{text}"),
    "basic": basic,
    "basic in json of php": lambda text: json.dumps(basic(text)).replace("/", "\\/"),
    "basic in a url": lambda text: quote(basic(text), safe=""),
    "url-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "url in json in a url": lambda text: quote(json.dumps(quote(f":{text}", safe="")), safe=""),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(key=keys, before=around, after=around)
def test_a_key_is_masked_in_every_encoding_and_position(encoding: str, key: str, before: str, after: str) -> None:
    form = ENCODINGS[encoding](key)
    shown = masked(f"{before}{form}{after}")

    assert key.lower() not in shown.lower()
    assert form not in shown
    assert MASK in shown


@given(key=keys, at=st.integers(0, 31))
def test_most_of_a_mixed_key_is_masked_too(key: str, at: int) -> None:
    mixed = f"aB3{key[3:]}"
    shorter = mixed[:at] + mixed[at + 1 :]
    if (
        any(one.islower() for one in shorter)
        and any(one.isupper() for one in shorter)
        and any(one.isdigit() for one in shorter)
    ):
        assert masked(f"key={shorter}") == f"key={MASK}"


@pytest.mark.parametrize(
    "text",
    [
        "https://chat.example.com/api/v1/users/me",
        "/home/ada/.config/zulip/work.zuliprc:3: The key is not 32 letters and digits",
        "test_that_a_long_name_of_words_stays_as_it_is_because_it_is_no_key",
        "3aade79d5b8c1f0e2a4b6c8d0e1f2a3b4c5d6e7f",
        "550e8400-e29b-41d4-a716-446655440000",
        MASK,
    ],
)
def test_other_text_is_not_masked(text: str) -> None:
    assert masked(text) == text


@given(st.text())
def test_masking_twice_gives_the_same_result(text: str) -> None:
    once = masked(text)
    assert masked(once) == once


@given(secret=st.text(min_size=6, max_size=30).filter(lambda text: text.strip() == text), before=around)
@example(secret="hé llo+&=%", before="")
@example(secret=":000\\0", before="\\")
def test_a_known_secret_of_any_form_is_masked(secret: str, before: str) -> None:
    for form in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], basic(secret)):
        assert form not in masked(f"{before}{form}", [secret]) or form in MASK


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_error_shows_a_key_in_any_attribute(encoding: str) -> None:
    key = generate().reveal()
    form = ENCODINGS[encoding](key)
    error = APIError(f"bad: {form}", hint=f"not {form}", answer={form: [form, {"x": form}], "n": 1})
    error.message = f"changed to {form}"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - of our own making

    for one in (error, again):
        heard = f"{one} {one!r} {vars(one)} {one.args}"
        assert form not in heard
        assert key not in heard
        assert len(one.answer) == 2


@pytest.mark.parametrize("name", [name for name, one in vars(errors).items() if isinstance(one, type)])
def test_every_public_error_masks(name: str) -> None:
    kind = getattr(errors, name)
    if not issubclass(kind, KeybearerError):
        pytest.skip("not an error of ours")
    key = generate().reveal()
    others = {"SettingError": ("X",), "ResolutionError": ("kind",)}.get(name, ())
    every: dict[str, dict[str, Any]] = {
        "KeyNotStored": {"kept": None},
        "TLSFailed": {"reason": "other"},
        "Redirected": {"location": f"https://x/{key}"},
        "RateLimited": {"retry_after": 1.0},
    }
    error = kind(*others, f"about {key}", hint=key, **every.get(name, {}))

    assert key not in f"{error} {error!r} {vars(error)}"


def test_the_path_of_a_stored_key_is_not_masked() -> None:
    path = f"/mnt/{'a1B2' * 8}/zuliprc.new"
    assert KeyNotStored("x", kept=path).kept == path


def test_json_is_masked_in_names_and_texts() -> None:
    key = generate().reveal()
    assert masked_json({key: [key, 1, None, True, {"a": key}]}) == {MASK: [MASK, 1, None, True, {"a": MASK}]}


def test_a_repr_is_masked() -> None:
    @masked_repr
    @dataclass(frozen=True, slots=True)
    class Pair:
        one: str

    key = generate().reveal()
    assert repr(Pair(key)) == f"{Pair.__qualname__}(one='{MASK}')"


def test_a_log_is_masked_in_its_text_and_arguments(caplog: pytest.LogCaptureFixture) -> None:
    key = generate().reveal()
    logger = mask_log(mask_log(logging.getLogger("keybearer.test")))
    with caplog.at_level(logging.DEBUG, logger="keybearer.test"):
        logger.info("Basic %s of %s", basic(key), {"key": key})

    assert caplog.messages == [f"Basic {MASK} of {{'key': '{MASK}'}}"]
    assert len(logger.filters) == 1
