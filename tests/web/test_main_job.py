"""The main job from start to end, in the browser: set up, add a bot, download its zuliprc, use it everywhere,
invalidate it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import zulip
from playwright.sync_api import Page, expect

import keybearer
from tests.databases import finish
from tests.server_process import run_keybearer, started_server
from tests.web.looks import SCREENSHOTS

PASSWORD = "nine lanterns by the river"
REFUSED = "Invalid API key"


def by_command(zuliprc: Path) -> str:
    told = run_keybearer("whoami", "--config-file", zuliprc)
    return told.stdout + told.stderr


def by_client(zuliprc: Path) -> str:
    try:
        with keybearer.Client(config_file=zuliprc) as client:
            return client.get_profile().email
    except keybearer.KeybearerError as error:
        return str(error)


def by_asynchronous_client(zuliprc: Path) -> str:
    async def ask() -> str:
        try:
            async with keybearer.AsyncClient(config_file=zuliprc) as client:
                return (await client.get_profile()).email
        except keybearer.KeybearerError as error:
            return str(error)

    return finish(ask())


def by_environment(zuliprc: Path) -> str:
    lines = dict(line.split("=", 1) for line in zuliprc.read_text().splitlines()[1:])
    names = {"email": "ZULIP_EMAIL", "key": "ZULIP_API_KEY", "site": "ZULIP_SITE"}
    told = run_keybearer("whoami", environ={names[name]: value for name, value in lines.items()})
    return told.stdout + told.stderr


def by_the_official_client(zuliprc: Path) -> str:
    profile = zulip.Client(config_file=str(zuliprc)).get_profile()
    return str(profile.get("email", profile["msg"]))


EVERY_WAY: tuple[Callable[[Path], str], ...] = (
    by_command,
    by_client,
    by_asynchronous_client,
    by_environment,
    by_the_official_client,
)


def download(page: Page, path: Path) -> Path:
    with page.expect_download() as started:
        page.get_by_role("dialog").get_by_role("button", name="Download zuliprc").click()
    assert started.value.suggested_filename == "zuliprc"
    started.value.save_as(path)
    path.chmod(0o600)
    return path


def test_a_key_is_created_used_and_invalidated(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZULIP_CONFIG", "ZULIP_EMAIL", "ZULIP_API_KEY", "ZULIP_SITE"):
        monkeypatch.delenv(name, raising=False)
    with started_server(tmp_path / "data") as server:
        page.goto(server.setup_link or "")
        page.get_by_label("Organization name").fill("Ostrava Observatory")
        page.get_by_label("Your name").fill("Iva Bergmann")
        page.get_by_label("Your email").fill("iva@observatory.example")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Create organization").click()

        page.get_by_role("link", name="Your bots").click()
        page.get_by_role("link", name="Add a new bot").first.click()
        page.get_by_label("Name", exact=True).fill("Build watcher")
        page.get_by_label("Bot email").fill("builds")
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("link", name="Manage bot Build watcher").click()
        page.get_by_role("button", name="Show API key").click()
        expect(page.locator("#bot-api-key")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / "main-job-bot.png")

        old = download(page, tmp_path / "old")
        for way in EVERY_WAY:
            assert "builds-bot@keybearer.localhost" in way(old), way.__name__

        page.get_by_role("link", name="Generate new API key").click()
        page.get_by_role("button", name="Generate new API key").click()
        expect(page.get_by_text("This is the bot's new API key")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / "main-job-new-key.png")
        new = download(page, tmp_path / "new")
        for way in EVERY_WAY:
            assert REFUSED in way(old), way.__name__
            assert "builds-bot@keybearer.localhost" in way(new), way.__name__
