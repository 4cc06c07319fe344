"""Steps of a reader in the browser, sent as a browser would send them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx2

ADA = "ada@example.com"
PASSWORD = "nine lanterns by the river"
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
LINK = re.compile(r"https?://\S+/setup/\S+/")


class BrowserSession:
    """A reader's browser. `home` is where downloads go: to `Downloads`."""

    def __init__(self, site: str, home: Path) -> None:
        self._client = httpx2.Client(base_url=site, follow_redirects=True, headers={"Origin": site}, timeout=30)
        self._home = home

    def carry_out(self, step: str, shown: str) -> None:
        """Carry out a step. `shown` is the output of the terminals. Raises AssertionError for an unknown one."""
        for pattern, action in _STEPS.items():
            if found := re.fullmatch(pattern, step):
                action(self, shown, *found.groups())
                return
        raise AssertionError(f"unknown step in the browser: {step}")

    def close(self) -> None:
        """Close the window."""
        self._client.close()

    def _post(self, form: str, to: str, **fields: str) -> httpx2.Response:
        hidden = dict(_HIDDEN.findall(self._client.get(form).text))
        response = self._client.post(to, data={**hidden, **fields})
        assert response.status_code == 200, re.findall(r'role="alert"[^>]*>(.*?)</div>', response.text)
        return response

    def _sign_in(self) -> None:
        if "sessionid" not in "".join(self._client.cookies):
            self._post("/login/", "/login/", username=ADA, password=PASSWORD)

    def create_organization(self, shown: str) -> None:
        """Open the link that the server printed, and fill in the form."""
        found = LINK.search(shown)
        assert found is not None, shown
        path = found[0].split("/", 3)[3]
        owner = {"full_name": "Ada Lovelace", "email": ADA, "password": PASSWORD}
        response = self._post(f"/{path}", f"/{path}", organization="Example", site=str(self._client.base_url), **owner)
        assert "Your organization is ready." in response.text

    def add_bot(self, _shown: str, name: str) -> None:
        """Add a bot and download its zuliprc."""
        self._sign_in()
        self._post("/settings/bots/add/", "/settings/bots/add/", full_name=name, short_name=name.lower())
        self._download(f"/settings/bots/{self._bot(name)}/")

    def regenerate_bot(self, _shown: str, name: str) -> None:
        """Generate a new key for a bot and download its zuliprc again."""
        self._sign_in()
        path = f"/settings/bots/{self._bot(name)}/"
        self._post(f"{path}api-key/regenerate/", f"{path}api-key/regenerate/")
        self._download(path)

    def download_own(self, _shown: str) -> None:
        """Show the reader's own key, with the password, and download the zuliprc."""
        self._sign_in()
        self._download("/settings/account/api-key/")

    def _bot(self, name: str) -> int:
        found = re.search(
            rf'/settings/bots/(\d+)/[^>]*aria-label="Manage bot {name}"', self._client.get("/settings/bots/").text
        )
        assert found is not None, name
        return int(found[1])

    def _download(self, path: str) -> None:
        text = self._post(path, f"{path}zuliprc/").text
        assert text.startswith("[api]\n"), text
        downloads = self._home / "Downloads"
        downloads.mkdir(exist_ok=True)
        (downloads / "zuliprc").write_text(text, encoding="utf-8")


_STEPS: dict[str, Callable[..., None]] = {
    "create the organization": BrowserSession.create_organization,
    "add the bot (.+) and download its zuliprc": BrowserSession.add_bot,
    "generate a new key for the bot (.+) and download its zuliprc": BrowserSession.regenerate_bot,
    "download your own zuliprc": BrowserSession.download_own,
}
