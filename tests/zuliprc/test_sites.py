"""Every site has one normal form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.errors import ResolutionError
from keybearer.zuliprc.credentials import is_plain_http, normalise_site, same_site
from tests.zuliprc.strategies import sites


@pytest.mark.parametrize(
    ("typed", "site"),
    [
        ("chat.example.com", "https://chat.example.com"),
        ("HTTPS://Chat.Example.COM/", "https://chat.example.com"),
        ("https://chat.example.com/api", "https://chat.example.com"),
        ("https://chat.example.com/api/v1/", "https://chat.example.com"),
        ("https://chat.example.com/zulip/api//", "https://chat.example.com/zulip"),
        ("https://chat.example.com/Zulip", "https://chat.example.com/Zulip"),
        ("http.example.org", "https://http.example.org"),
        ("http://chat.example.com", "http://chat.example.com"),
        (" chat.example.com ", "https://chat.example.com"),
        ("chat.example.com:8443", "https://chat.example.com:8443"),
        ("localhost:9991", "http://localhost:9991"),
        ("zulip.localhost", "http://zulip.localhost"),
        ("LOCALHOST", "http://localhost"),
        ("127.8.9.1", "http://127.8.9.1"),
        ("[::1]:9991", "http://[::1]:9991"),
        ("https://localhost", "https://localhost"),
        ("localhost.evil.example", "https://localhost.evil.example"),
        ("127.0.0.1.evil.example", "https://127.0.0.1.evil.example"),
        ("evil-localhost", "https://evil-localhost"),
        ("bücher.example", "https://bücher.example"),
    ],
)
def test_every_usual_form_of_a_site_is_normalised(typed: str, site: str) -> None:
    assert normalise_site(typed) == site


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "/", "//chat.example.com", "https:", "https://", "http:chat.example.com", "ftp://chat.example.com",
        "file:///etc/passwd", "javascript://chat.example.com", "https://user:secret@chat.example.com",
        "user@chat.example.com", "chat.example.com?a=b", "chat.example.com/#narrow", "chat.example.com?", "a b.example",
        "chat.example.com\\@evil.example", "chat.example.com:", "chat.example.com:port", "chat.example.com:70000",
        "chat.example.com:0", "chat..example.com", ".example.com", "-", "::1", "[::1", "[v1.fe]", "https://[::g]",
        "chat.example.com/a\tb", "chat.example.com\u2028/", "a" * 3000, '"https://chat.example.com"', "℀.example",
    ],
)  # fmt: skip
def test_an_invalid_site_is_refused_without_showing_it(typed: str) -> None:
    with pytest.raises(ResolutionError) as raised:
        normalise_site(typed)

    assert raised.value.kind == "bad_url"
    assert raised.value.__context__ is None
    assert "chat" not in str(raised.value).replace(raised.value.hint, "")
    assert "secret" not in repr(raised.value)


@given(sites)
def test_a_normalised_site_is_unchanged(site: str) -> None:
    assert normalise_site(site) == site


@given(st.text(max_size=30) | st.text(st.sampled_from("ahttps:/.@[]?#1 api/v1İ\u00e9"), max_size=24))
def test_normalising_twice_gives_the_same_result(text: str) -> None:
    try:
        site = normalise_site(text)
    except ResolutionError as error:
        assert error.kind == "bad_url"  # noqa: PT017 - either end is right
    else:
        assert normalise_site(site) == site


def test_plain_http_means_unencrypted_calls_to_another_machine() -> None:
    assert is_plain_http("http://chat.example.com")
    assert not is_plain_http("https://chat.example.com")
    assert not is_plain_http("http://127.0.0.1:9991")


def test_the_default_port_makes_no_difference() -> None:
    assert same_site("https://chat.example.com:443", "https://chat.example.com")
    assert not same_site("https://chat.example.com:444", "https://chat.example.com")
    assert not same_site("http://chat.example.com", "https://chat.example.com")
    assert not same_site("https://chat.example.com/a", "https://chat.example.com/b")
