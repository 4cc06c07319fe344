"""The table of emoji, which clients fetch from the URL in `server_emoji_data_url`."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import STRING, array, by_key
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.rules import OPEN
from keybearer.server.services.messaging import emoji

PATH = "emoji_data.json"
"""Below `/api/v1/`. Zulip serves a static file, so clients send no key, from pages of any site."""


async def get_table(_call: Call) -> Answer:
    """`GET emoji_data.json`: the names of each code, its first name first, as Zulip has it since feature level 140."""
    return success(code_to_names=emoji.NAMES_OF_CODES)


ENDPOINTS = (
    Endpoint.get(
        PATH,
        get_table,
        OPEN,
        "The names of all emoji.",
        gives={"code_to_names": by_key(array(STRING))},
        names_unsupported=False,
    ),
)
