"""Bots: their types, and the rule for their addresses."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from enum import IntEnum
from urllib.parse import urlsplit

from keybearer.secret import Secret
from keybearer.server.domain.errors import Refused

SHORT_NAME_MAX_LENGTH = 64
PAYLOAD_URL_MAX_LENGTH = 2048
UNREADABLE_IN_ZULIPRC = "%#;=\"'\\:,()<>[]{}|$`*?!&/@ "
"""Characters that Zulip allows in an address, but that at least one zuliprc reader cuts, quotes or fails on."""


class BotType(IntEnum):
    """Zulip's numbers of bot types."""

    GENERIC = 1
    INCOMING_WEBHOOK = 2
    OUTGOING_WEBHOOK = 3
    EMBEDDED = 4

    @property
    def label(self) -> str:
        """The words that people read, as on Zulip's settings page."""
        return self.name.replace("_", " ").capitalize() + ("" if self.name.endswith("WEBHOOK") else " bot")


class ServiceInterface(IntEnum):
    """The format of an outgoing webhook's payload."""

    GENERIC = 1
    SLACK = 2


@dataclass(frozen=True, slots=True)
class BotService:
    """Where an outgoing webhook bot posts to. Its token is a separate secret and not part of this value."""

    account_id: int
    name: str
    base_url: str
    interface: ServiceInterface


@dataclass(frozen=True, slots=True)
class RevealedService:
    """A service with its token opened, for people who may manage the bot."""

    service: BotService
    token: Secret

    def without_token(self) -> RevealedService:
        """The same with an empty token, for keys that may not see credentials."""
        return replace(self, token=Secret(""))


def checked_short_name(text: str) -> str:
    """`text` without surrounding blanks. Raises Refused with Zulip's words if it is empty or far too long."""
    name = text.strip()
    if not name or len(name) > SHORT_NAME_MAX_LENGTH:
        raise Refused("Bad name or username")
    return name


def bot_email(short_name: str, domain: str) -> str:
    """The address of a new bot: `<short name>-bot@<domain>`.

    Raises Refused: with Zulip's words for a name that cannot be part of an address, with ours for a name that some
    reader of zuliprc files would misread.
    """
    if not short_name.isascii() or not short_name.isprintable():
        raise Refused("Bad name or username")
    bad = sorted(set(short_name) & set(UNREADABLE_IN_ZULIPRC))
    if bad:
        shown = " ".join("space" if c == " " else c for c in bad)
        raise Refused(
            f"Bad name or username: programs that read zuliprc files would misread {shown} in a bot's email address; "
            "use letters, digits, dots, hyphens and underscores."
        )
    if not re.fullmatch(r"[A-Za-z0-9_+^~-]+(\.[A-Za-z0-9_+^~-]+)*", short_name):
        raise Refused("Bad name or username")
    return f"{short_name}-bot@{domain}"


def checked_payload_url(url: str, *, name: str = "payload_url") -> str:
    """`url` if a webhook can be sent to it. Raises Refused with Zulip's words otherwise."""
    if url.isprintable() and " " not in url and len(url) <= PAYLOAD_URL_MAX_LENGTH:
        with contextlib.suppress(ValueError):  # urlsplit raises this for an impossible host or port
            parts = urlsplit(url)
            if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
                return url
    raise Refused(f"Invalid {name}: Value error, Not a URL")
