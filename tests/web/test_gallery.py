"""Every page in every state, in light, dark and on a narrow screen: nothing for axe to find, nothing that overflows.

The screenshots are left in `screenshots/`, for people to look at. `make soak ARGS=tests/web/test_gallery.py` makes
those of the states that are not looked at in every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from playwright.sync_api import BrowserContext

from keybearer.server.services.context import Context
from keybearer.server.storage.tables import accounts, realms
from tests.server_process import OWNER_EMAIL, RunningServer
from tests.web import chromium
from tests.web.looks import show
from tests.web.organization import Organization
from tests.web.states import SIGNED_IN, SIGNED_OUT, Stage
from tests.web.visitor import let_in


@pytest.fixture(scope="module")
def signed_in(profile: BrowserContext, server: RunningServer, organization: Organization) -> Iterator[Stage]:
    with chromium.tab(profile) as page:
        let_in(profile, server)
        yield Stage(page, server.site, organization)


@pytest.fixture(scope="module")
def signed_out(other_profile: BrowserContext, server: RunningServer, organization: Organization) -> Iterator[Stage]:
    with chromium.tab(other_profile) as page:
        yield Stage(page, server.site, organization)


def in_turn(names: Iterable[str]) -> list[object]:
    """Every twelfth state for every run, the others for the long one."""
    return [pytest.param(name, marks=pytest.mark.soak if number % 12 else ()) for number, name in enumerate(names)]


@pytest.mark.parametrize("name", in_turn(SIGNED_OUT))
def test_a_page_for_who_is_signed_out_has_no_flaw(signed_out: Stage, name: str) -> None:
    SIGNED_OUT[name](signed_out)
    assert show(signed_out.page, name) == []


@pytest.mark.parametrize("name", in_turn(SIGNED_IN))
def test_a_page_for_who_is_signed_in_has_no_flaw(signed_in: Stage, name: str) -> None:
    SIGNED_IN[name](signed_in)
    assert show(signed_in.page, name) == []


def test_the_icons_of_a_bots_zuliprc_stand_in_one_row(signed_in: Stage) -> None:
    signed_in.page.set_viewport_size({"width": 360, "height": 740})
    signed_in.open_dialog("/settings/bots/", "Manage bot Build watcher")
    icons = signed_in.page.locator(".key-head").filter(has_text="Zuliprc configuration").locator(".icon-button").all()
    boxes = [box for icon in icons if (box := icon.bounding_box()) is not None]
    assert len(boxes) == 3
    assert len({box["y"] for box in boxes}) == 1


def test_the_button_that_shows_a_key_has_one_line(signed_in: Stage) -> None:
    signed_in.page.set_viewport_size({"width": 360, "height": 740})
    signed_in.open_dialog("/settings/bots/", "Manage bot Build watcher")
    box = signed_in.page.get_by_role("button", name="Show API key").bounding_box()
    assert box is not None
    assert box["height"] < 40


@pytest.fixture
def with_long_names(server: RunningServer, organization: Organization) -> None:
    """The organization and its owner have names in which no line can end."""

    async def rename(context: Context) -> None:
        async with context.change(None) as change:
            await change.connection.execute(realms.update().values(name="W" * 40))
            owner = accounts.update().where(accounts.c.delivery_email == OWNER_EMAIL)
            await change.connection.execute(owner.values(full_name="Donaudampfschifffahrt" * 4))

    server.on_data(rename)


@pytest.mark.usefixtures("with_long_names")
@pytest.mark.parametrize("path", ["/settings/account/", "/settings/bots/", "/organization/audit/"])
def test_a_name_in_which_no_line_can_end_fits_every_width(signed_in: Stage, path: str) -> None:
    signed_in.go(path)
    for width in (360, 600, 800, 1024, 1280):
        signed_in.page.set_viewport_size({"width": width, "height": 740})
        assert signed_in.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.usefixtures("with_long_names")
def test_what_can_be_done_with_a_bot_is_in_sight_at_every_width(signed_in: Stage) -> None:
    signed_in.go("/settings/bots/")
    for width in (360, 800, 1024, 1280):
        signed_in.page.set_viewport_size({"width": width, "height": 740})
        row = signed_in.page.get_by_role("row", name="Lunch oracle")
        icon, box = row.get_by_title("Deactivate bot").bounding_box(), row.bounding_box()
        assert icon is not None
        assert box is not None
        assert icon["x"] + icon["width"] <= width
        assert width < 800 or box["height"] < 120
