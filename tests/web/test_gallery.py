"""Every page in every state, in light, dark and on a narrow screen: nothing for axe to find, nothing that overflows.

The screenshots are left in `screenshots/`, for people to look at.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.server_process import RunningServer
from tests.web import chromium
from tests.web.looks import show
from tests.web.organization import Organization
from tests.web.states import SIGNED_IN, SIGNED_OUT, Stage
from tests.web.visitor import sign_in


@pytest.fixture(scope="module")
def signed_in(browser: Browser, server: RunningServer, organization: Organization) -> Iterator[Stage]:
    with chromium.profile(browser) as profile:
        page = profile.new_page()
        sign_in(page, server)
        yield Stage(page, server.site, organization)


@pytest.fixture(scope="module")
def signed_out(browser: Browser, server: RunningServer, organization: Organization) -> Iterator[Stage]:
    with chromium.profile(browser) as profile:
        yield Stage(profile.new_page(), server.site, organization)


@pytest.mark.parametrize("name", SIGNED_OUT)
def test_a_page_for_who_is_signed_out_has_no_flaw(signed_out: Stage, name: str) -> None:
    SIGNED_OUT[name](signed_out)
    assert show(signed_out.page, name) == []


@pytest.mark.parametrize("name", SIGNED_IN)
def test_a_page_for_who_is_signed_in_has_no_flaw(signed_in: Stage, name: str) -> None:
    SIGNED_IN[name](signed_in)
    assert show(signed_in.page, name) == []
