"""Accounts: which addresses people may have."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keybearer.secret import Secret
from keybearer.server.domain.accounts import checked_email, is_email
from keybearer.server.domain.errors import Refused
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.document import Document, render_zuliprc

KEY = "kb" + "a" * 30


@pytest.mark.parametrize(
    "email", ["a@example.com", "A.b+c@x-y.example.org", "olive@localhost", "o'neill@xn--bcher-kva.example", "a@b.co"]
)
def test_a_valid_address_is_accepted(email: str) -> None:
    assert checked_email(f" {email} ") == email


@pytest.mark.parametrize(
    "email",
    [
        *("", "a", "a@", "@b.co", "a@b", "a@b.c", "a@b.c-", "a@-b.co", "a b@c.de", "a..b@c.de", ".a@b.co", "a@b..co"),
        *("a:b@c.de", "a:b@localhost", "\x1b[31m@localhost", "a\x85b@localhost", "a\u2028b@localhost", "é@localhost"),
        *("a@b.co\n", "a@LOCALHOST.", "x" * 250 + "@b.co"),
    ],
)
def test_an_invalid_address_is_refused(email: str) -> None:
    assert not is_email(email)


def test_an_address_that_would_be_a_comment_in_a_zuliprc_is_refused_with_the_reason() -> None:
    with pytest.raises(Refused, match="begins with #"):
        checked_email("#1@example.com")


@example("#1")
@example("0%")
@given(st.one_of(st.text(min_size=1, max_size=20), st.text("ab.:;#%=[]\"' \t\x00\x1b\x85\u2028", max_size=9)))
def test_a_zuliprc_can_hold_every_accepted_address(user: str) -> None:
    try:
        email = checked_email(f"{user}@localhost")
    except Refused:
        return
    text = render_zuliprc(Credentials(email=email, api_key=Secret(KEY), site="http://localhost"))
    assert email.isprintable()
    assert ":" not in email
    assert Document.parse(text).settings()["email"] == email
    as_the_bindings_read = configparser.ConfigParser()
    as_the_bindings_read.read_string(text)
    assert as_the_bindings_read.get("api", "email") == email
