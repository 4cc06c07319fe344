"""A server that knows one API key and regenerates it, and the zuliprc that has this key."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from tests.client.scripted_server import EMAIL, KEY, NEWER_KEY, PROFILE, Reply, Seen, refused, success


class KeyServer:
    """Accepts one key, and issues another on request."""

    def __init__(self, good: str = KEY) -> None:
        self.good = good
        self.next = NEWER_KEY
        self.before_answer: Callable[[], None] = lambda: None
        self.answer: Reply | None = None

    def __call__(self, seen: Seen) -> Reply:
        pair = base64.b64decode(seen.headers["authorization"].removeprefix("Basic ")).decode()
        if pair != f"{EMAIL}:{self.good}":
            return refused()
        if seen.path.endswith("/regenerate"):
            self.good = self.next
            self.before_answer()
            return self.answer or success(api_key=self.good)
        return success(**PROFILE)


def write_zuliprc(path: Path, key: str, site: str, email: str = EMAIL) -> None:
    path.write_text(f"# my bot\n[api]\nemail={email}\nkey={key}\nsite={site}\n\n[zterm]\ntheme=dark\n")
    path.chmod(0o600)


def beside(zuliprc: Path) -> Path:
    return zuliprc.with_name("zuliprc.new")
