"""The reference says what the server does."""

from __future__ import annotations

from keybearer.server.settings import Settings
from tests.wire import documents


def test_the_table_of_endpoints_matches_the_server() -> None:
    assert documents.WIRE.read_text("utf-8") == documents.wire()


def test_the_page_of_differences_matches_the_tests() -> None:
    assert documents.DIFFERENCES_PAGE.read_text("utf-8") == documents.differences()


def test_the_reference_says_who_may_call_what_on_every_route() -> None:
    assert documents.ROUTES_PAGE.read_text("utf-8") == documents.who_may_call_what()


def test_the_reference_lists_what_is_not_available() -> None:
    assert documents.UNAVAILABLE_PAGE.read_text("utf-8") == documents.not_available()


def test_the_page_of_limits_matches_the_server() -> None:
    assert documents.LIMITS_PAGE.read_text("utf-8") == documents.limits()


def test_the_limits_in_the_reference_are_the_default_ones() -> None:
    page = documents.WIRE.read_text("utf-8")
    assert Settings.__dataclass_fields__["api_limit"].default == "200/minute"
    assert Settings.__dataclass_fields__["failure_limit"].default == "60/minute"
    assert "200 a minute" in page
    assert "60 a minute" in page
