"""Bots: their types, and the rule for their addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from keybearer.server.domain.errors import Refused

SHORT_NAME_MAX_LENGTH = 64
UNREADABLE_IN_ZULIPRC = "%#;=\"'\\:,()<>[]{}|$`*?!&/ "
"""Characters that Zulip allows in an address and that one zuliprc reader or another cuts, quotes or chokes on."""


class BotType(IntEnum):
    """Zulip's bot type numbers."""

    GENERIC = 1
    INCOMING_WEBHOOK = 2
    OUTGOING_WEBHOOK = 3
    EMBEDDED = 4

    @property
    def label(self) -> str:
        """The words for people, as on Zulip's settings page."""
        return self.name.replace("_", " ").capitalize() + ("" if self.name.endswith("WEBHOOK") else " bot")


class ServiceInterface(IntEnum):
    """How an outgoing webhook's payload looks."""

    GENERIC = 1
    SLACK = 2


@dataclass(frozen=True, slots=True)
class BotService:
    """Where an outgoing webhook bot posts to. Its token is a secret of its own and not part of this value."""

    account_id: int
    name: str
    base_url: str
    interface: ServiceInterface


def bot_email(short_name: str, domain: str) -> str:
    """The address of a new bot: `<short name>-bot@<domain>`.

    Raises Refused: with Zulip's words for a name that cannot be an address, with ours for one that some reader of
    zuliprc files would misread.
    """
    name = short_name.strip()
    if not name or "@" in name or not name.isascii() or len(name) > SHORT_NAME_MAX_LENGTH:
        raise Refused("Bad name or username")
    bad = sorted(set(name) & set(UNREADABLE_IN_ZULIPRC))
    if bad:
        shown = " ".join("space" if c == " " else c for c in bad)
        raise Refused(
            f"Bad name or username: programs that read zuliprc files would misread {shown} in a bot's email address; "
            "use letters, digits, dots, hyphens and underscores."
        )
    if not re.fullmatch(r"[A-Za-z0-9_+^~-]+(\.[A-Za-z0-9_+^~-]+)*", name):
        raise Refused("Bad name or username")
    return f"{name}-bot@{domain}"
