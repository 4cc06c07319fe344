"""Avatars: initials on a colour, drawn here."""

from __future__ import annotations

import hashlib
from html import escape

from starlette.responses import Response

from keybearer.server.domain.errors import Refused
from keybearer.server.services import profiles
from keybearer.server.web.visit import Visit

# Dark enough for white letters (a contrast of at least 4.5 : 1), and far enough apart to distinguish accounts.
_COLOURS = ("#3d5a99", "#7a4a8c", "#a3463b", "#8a5a12", "#3f6f3a", "#1f6f72", "#5b5f97", "#9a3d6a", "#55606e")
_UNKNOWN = "?"
_FONT = "Segoe UI, Roboto, Cantarell, Ubuntu, Noto Sans, Liberation Sans, system-ui, sans-serif"


async def show(visit: Visit) -> Response:
    """The picture of an account. A question mark for visitors who may not see the account."""
    account_id = visit.id("account_id")
    name = await _name(visit, account_id)
    return Response(
        draw(name, account_id), media_type="image/svg+xml", headers={"cache-control": "private, max-age=3600"}
    )


async def _name(visit: Visit, account_id: int) -> str:
    if visit.account is None:
        return _UNKNOWN
    try:
        (account,) = (await profiles.find(visit.context, visit.caller, account_id)).accounts
    except Refused:
        return _UNKNOWN
    return account.full_name


def initials(name: str) -> str:
    """One or two letters that represent a name."""
    words = [word for word in name.split() if word[0].isalnum()]
    if not words:
        return _UNKNOWN
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def draw(name: str, account_id: int) -> str:
    """The picture, as SVG."""
    colour = _COLOURS[hashlib.sha256(b"%d" % account_id).digest()[0] % len(_COLOURS)]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="100" height="100">'
        f'<rect width="100" height="100" fill="{colour}"/>'
        f'<text x="50" y="52" fill="#fff" font-family="{_FONT}" font-size="42" font-weight="600" '
        f'text-anchor="middle" dominant-baseline="middle">{escape(initials(name))}</text></svg>'
    )
