"""Every page in every state, in light, dark and on a narrow screen: axe finds nothing, and nothing overflows.

The screenshots are saved in `screenshots/`, for people to look at. `make soak ARGS=tests/web/test_gallery.py` saves
those of the states that are not checked in every run.
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
from tests.web.visitor import sign_in_directly


@pytest.fixture(scope="module")
def signed_in(profile: BrowserContext, server: RunningServer, organization: Organization) -> Iterator[Stage]:
    with chromium.tab(profile) as page:
        sign_in_directly(profile, server)
        yield Stage(page, server.site, organization)


@pytest.fixture(scope="module")
def signed_out(other_profile: BrowserContext, server: RunningServer, organization: Organization) -> Iterator[Stage]:
    with chromium.tab(other_profile) as page:
        yield Stage(page, server.site, organization)


def in_turn(names: Iterable[str]) -> list[object]:
    """Every twelfth state for every run, the others for the long run."""
    return [pytest.param(name, marks=pytest.mark.soak if number % 12 else ()) for number, name in enumerate(names)]


@pytest.mark.parametrize("name", in_turn(SIGNED_OUT))
def test_a_page_for_signed_out_visitors_has_no_flaw(signed_out: Stage, name: str) -> None:
    SIGNED_OUT[name](signed_out)
    assert show(signed_out.page, name) == []


@pytest.mark.parametrize("name", in_turn(SIGNED_IN))
def test_a_page_for_signed_in_visitors_has_no_flaw(signed_in: Stage, name: str) -> None:
    SIGNED_IN[name](signed_in)
    assert show(signed_in.page, name) == []


def test_the_icons_of_a_bots_zuliprc_are_in_one_row(signed_in: Stage) -> None:
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


@pytest.mark.parametrize("path", ["/settings/bots/", "/organization/bots/", "/organization/users/", "/people/"])
def test_no_column_of_a_table_is_hidden_on_a_usual_screen(signed_in: Stage, path: str) -> None:
    signed_in.page.set_viewport_size(chromium.VIEWPORT)
    signed_in.go(path)
    hidden = "frame => frame.scrollWidth - frame.clientWidth"
    assert signed_in.page.locator(".table-frame").evaluate(hidden) == 0


def test_an_address_is_not_broken_in_the_table_of_a_bots_keys(signed_in: Stage) -> None:
    signed_in.page.set_viewport_size(chromium.VIEWPORT)
    signed_in.go(f"/settings/bots/{signed_in.organization.bot.id}/")
    frame = signed_in.page.locator(".table-frame")
    assert frame.evaluate("frame => frame.scrollWidth - frame.clientWidth") == 0
    lines = """cell => {
      const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      let text;
      while (!text?.data.includes("98.51.100.4")) text = texts.nextNode();
      const range = document.createRange();
      range.setStart(text, text.data.indexOf("98.51.100.4"));
      range.setEnd(text, range.startOffset + "98.51.100.4".length);
      return range.getClientRects().length;
    }"""
    assert frame.locator("tbody tr").first.locator("td[data-label='Last used']").evaluate(lines) == 1


def test_the_email_of_a_new_bot_is_as_wide_as_its_name(signed_in: Stage) -> None:
    signed_in.page.set_viewport_size({"width": 360, "height": 740})
    signed_in.open_dialog("/settings/bots/", "Add a new bot")
    name = signed_in.page.get_by_label("Name", exact=True).bounding_box()
    email = signed_in.page.locator(".affixed").bounding_box()
    affix = signed_in.page.locator(".affixed span").bounding_box()
    assert name is not None
    assert email is not None
    assert affix is not None
    assert email["width"] == name["width"]
    assert affix["x"] + affix["width"] == pytest.approx(name["x"] + name["width"], abs=1)


@pytest.mark.parametrize("width", [360, 1280])
def test_choosing_a_reaction_moves_nothing_on_the_page(signed_in: Stage, width: int) -> None:
    signed_in.page.set_viewport_size({"width": width, "height": 740})
    signed_in.go("/messages/?channel=1&topic=builds")
    icon = signed_in.page.locator(".react summary").last
    icon.scroll_into_view_if_needed()
    before = icon.bounding_box()
    icon.click()
    choices = signed_in.page.get_by_label("Another emoji, by its name").last
    choices.click()  # nothing is above it
    assert icon.bounding_box() == before


def test_messages_that_fit_leave_the_head_of_the_page_visible(signed_in: Stage) -> None:
    signed_in.page.set_viewport_size({"width": 1280, "height": 640})
    signed_in.go(f"/messages/?with={signed_in.organization.member.id}")
    signed_in.page.get_by_text("Live", exact=True).wait_for()
    assert signed_in.page.evaluate("document.documentElement.scrollHeight > innerHeight")
    assert signed_in.page.evaluate("scrollY") == 0


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
def test_a_name_without_a_place_to_break_fits_every_width(signed_in: Stage, path: str) -> None:
    signed_in.go(path)
    for width in (360, 600, 800, 1024, 1280):
        signed_in.page.set_viewport_size({"width": width, "height": 740})
        assert signed_in.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.usefixtures("with_long_names")
def test_the_actions_for_a_bot_are_visible_at_every_width(signed_in: Stage) -> None:
    signed_in.go("/settings/bots/")
    for width in (360, 800, 1024, 1280):
        signed_in.page.set_viewport_size({"width": width, "height": 740})
        row = signed_in.page.get_by_role("row", name="Lunch oracle")
        icon, box = row.get_by_title("Deactivate bot").bounding_box(), row.bounding_box()
        assert icon is not None
        assert box is not None
        assert icon["x"] + icon["width"] <= width
        assert width < 800 or box["height"] < 120
