"""The reference pages of the settings and of the errors match the code."""

from __future__ import annotations

import pytest

from keybearer import errors
from keybearer.server.settings import VARIABLES
from tests.docs import references

AGAIN = "run: python -m tests.docs.references"


def test_the_page_of_the_settings_matches_the_code() -> None:
    assert references.SETTINGS_PAGE.read_text(encoding="utf-8") == references.settings(), AGAIN


def test_the_page_of_the_errors_matches_the_code() -> None:
    assert references.ERRORS_PAGE.read_text(encoding="utf-8") == references.errors_page(), AGAIN


def test_exactly_the_settings_have_a_meaning() -> None:
    assert list(references.MEANINGS) == list(VARIABLES)


@pytest.mark.parametrize("name", [name for name, value in vars(errors).items() if isinstance(value, type)])
def test_every_error_is_on_the_page(name: str) -> None:
    if issubclass(getattr(errors, name), errors.KeybearerError):
        assert f"`{name}`" in references.ERRORS_PAGE.read_text(encoding="utf-8")
