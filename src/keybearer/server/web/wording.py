"""Sentences that several pages share."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from keybearer.errors import KeybearerError
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.realms import SystemGroup

_GROUPS = {
    SystemGroup.NOBODY: "Nobody",
    SystemGroup.OWNERS: "Owners",
    SystemGroup.ADMINISTRATORS: "Administrators and owners",
    SystemGroup.MODERATORS: "Moderators and above",
    SystemGroup.FULL_MEMBERS: "Full members and above",
    SystemGroup.MEMBERS: "Members and above",
    SystemGroup.EVERYONE: "Everyone, guests too",
    SystemGroup.INTERNET: "Everyone on the internet",
}


def refusal_words(refusal: Refused | KeybearerError) -> str:
    """What a form says when its wish is refused."""
    return refusal.message if isinstance(refusal, Refused) else str(refusal)


def group_words(group: SystemGroup) -> str:
    """A group by role, in the words of the policies page."""
    return _GROUPS[group]


def counted(number: int, noun: str) -> str:
    """`1 bot`, `3 bots`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def code_spans(text: str) -> Markup:
    """A text whose `…` are code, as HTML."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped just before
