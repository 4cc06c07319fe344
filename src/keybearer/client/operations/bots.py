"""Calls about bots and API keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import IO, Any

from keybearer.client import models
from keybearer.client.operations.operation import Operation
from keybearer.client.operations.uploads import file_part
from keybearer.secret import Secret


def _key() -> Callable[[Mapping[str, Any]], Secret]:
    """A function that reads the key from an answer. What it needs is loaded before the request is sent."""
    parse = models.IssuedKey.parse
    return lambda answer: parse(answer).api_key


def _quoted(url: str | None) -> str | None:
    """Unlike others, Zulip reads these texts as JSON, in quotes."""
    return None if url is None else json.dumps(url)


def get_bots() -> Operation[models.Bots]:
    """The caller's own active bots. People only."""
    return Operation("GET", "bots", models.Bots.parse)


def create_bot(
    full_name: str,
    short_name: str,
    *,
    bot_type: int = 1,
    payload_url: str | None = None,
    interface_type: int | None = None,
    service_name: str | None = None,
    config_data: Mapping[str, str] | None = None,
    avatar: IO[bytes] | None = None,
    **options: Any,  # noqa: ANN401 - whatever else the server takes
) -> Operation[models.NewBot]:
    """Create a bot that the caller owns. The server makes its email from `short_name`.

    `bot_type`: 1 generic, 2 incoming webhook, 3 outgoing webhook (which needs `payload_url`), 4 embedded.
    """
    parameters: dict[str, object] = {
        "full_name": full_name,
        "short_name": short_name,
        "bot_type": bot_type,
        "payload_url": _quoted(payload_url),
        "interface_type": interface_type,
        "service_name": service_name,
        "config_data": config_data,
        **options,
    }
    files = () if avatar is None else (file_part(avatar),)
    return Operation("POST", "bots", models.NewBot.parse, parameters, files=files)


def update_bot(
    bot_id: int,
    *,
    full_name: str | None = None,
    short_name: str | None = None,
    bot_owner_id: int | None = None,
    role: int | None = None,
    service_payload_url: str | None = None,
    service_interface: int | None = None,
    **changes: Any,  # noqa: ANN401 - whatever else the server takes
) -> Operation[models.Answer]:
    """Change a bot. A new `short_name` (feature level 447 and later) changes its email, and so its zuliprc."""
    parameters: dict[str, object] = {
        "full_name": full_name,
        "short_name": short_name,
        "bot_owner_id": bot_owner_id,
        "role": role,
        "service_payload_url": _quoted(service_payload_url),
        "service_interface": service_interface,
        **changes,
    }
    return Operation("PATCH", f"bots/{int(bot_id)}", models.Answer.parse, parameters)


def deactivate_bot(bot_id: int) -> Operation[models.Answer]:
    """Deactivate a bot. For its owner and for administrators."""
    return Operation("DELETE", f"bots/{int(bot_id)}", models.Answer.parse)


def reactivate_bot(bot_id: int) -> Operation[models.Answer]:
    """Reactivate a bot. Servers may give it a new API key: ask for it again."""
    return Operation("POST", f"users/{int(bot_id)}/reactivate", models.Answer.parse)


def regenerate_bot_api_key(bot_id: int) -> Operation[Secret]:
    """Issue a new API key for a bot. The old one is refused at once. The new key is only in the answer."""
    return Operation("POST", f"bots/{int(bot_id)}/api_key/regenerate", _key())


def fetch_bot_api_key(bot_id: int) -> Operation[Secret]:
    """A bot's API key, from servers that have the endpoint (feature level 463 and later)."""
    return Operation("GET", f"bots/{int(bot_id)}/api_key", _key())


def regenerate_own_api_key() -> Operation[Secret]:
    """Issue a new API key for the caller. The old one is refused at once. The new key is only in the answer."""
    return Operation("POST", "users/me/api_key/regenerate", _key())
