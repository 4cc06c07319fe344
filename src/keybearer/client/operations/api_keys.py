"""Calls about named API keys, which only Keybearer's server has."""

from __future__ import annotations

from collections.abc import Collection

from keybearer.client import models
from keybearer.client.operations.operation import Operation
from keybearer.errors import UnusableRequest
from keybearer.secret import Secret

NEVER = "never"


def _path(bot_id: int | None, key_id: int | None = None) -> str:
    path = "users/me/api_keys" if bot_id is None else f"bots/{int(bot_id)}/api_keys"
    return path if key_id is None else f"{path}/{int(key_id)}"


def _days(expires_in_days: int | str | None) -> int | str | None:
    """The number of days as on the wire: null for a key without an end."""
    if isinstance(expires_in_days, str) and expires_in_days != NEVER:
        raise UnusableRequest(f"{expires_in_days!r} is not a lifetime of a key", hint=f'Pass whole days, or "{NEVER}"')
    return "null" if expires_in_days == NEVER else expires_in_days


def get_api_keys(*, bot_id: int | None = None, ending: bool | None = None) -> Operation[models.APIKeys]:
    """The valid API keys of the caller or of a bot: the account key and the named keys.

    With `ending`, the result is instead the keys that end when a new account key is issued. It includes keys of
    other accounts that were created with one of these keys.
    """
    return Operation("GET", _path(bot_id), models.APIKeys.parse, {"ending": ending})


def get_current_api_key() -> Operation[models.APIKey]:
    """The API key that this client uses, without its text. Any key can do this."""
    return Operation("GET", "users/me/api_keys/current", models.APIKey.parse)


def create_api_key(
    name: str,
    *,
    scopes: Collection[str] | None = None,
    expires_in_days: int | str | None = None,
    networks: Collection[str] | None = None,
    bot_id: int | None = None,
) -> Operation[models.NewAPIKey]:
    """Create a named API key for the caller or for a bot. It is in the answer and is shown nowhere else.

    `scopes`: `read`, `send`, `manage`, `keys`; `read` and `send` if None. `expires_in_days`: a number, or "never"; the
    organization's setting if None. `networks`: where it may be used from, such as `192.0.2.0/24`.
    """
    parameters: dict[str, object] = {
        "name": name,
        "scopes": None if scopes is None else list(scopes),
        "expires_in_days": _days(expires_in_days),
        "networks": None if networks is None else list(networks),
    }
    return Operation("POST", _path(bot_id), models.NewAPIKey.parse, parameters)


def update_api_key(
    key_id: int,
    *,
    name: str | None = None,
    scopes: Collection[str] | None = None,
    expires_in_days: int | None = None,
    networks: Collection[str] | None = None,
    bot_id: int | None = None,
) -> Operation[models.Answer]:
    """Rename a named API key, or restrict it: fewer scopes, an earlier end, smaller networks."""
    parameters: dict[str, object] = {
        "name": name,
        "scopes": None if scopes is None else list(scopes),
        "expires_in_days": expires_in_days,
        "networks": None if networks is None else list(networks),
    }
    return Operation("PATCH", _path(bot_id, key_id), models.Answer.parse, parameters)


def regenerate_named_api_key(
    key_id: int, *, overlap_seconds: int | None = None, bot_id: int | None = None
) -> Operation[models.NewAPIKey]:
    """Replace a named API key with a new one with the same name, scopes, networks and end.

    Both work for `overlap_seconds`, at most a day. Without it, the old one is refused at once.
    """
    path = f"{_path(bot_id, key_id)}/regenerate"
    return Operation("POST", path, models.NewAPIKey.parse, {"overlap_seconds": overlap_seconds})


def replace_current_key() -> Operation[Secret]:
    """Replace the named API key that this client uses. The new key is in the answer and nowhere else."""
    parse = models.NewAPIKey.parse  # loaded before the request is sent
    return Operation("POST", "users/me/api_keys/current/regenerate", lambda answer: parse(answer).api_key)


def revoke_api_key(key_id: int, *, bot_id: int | None = None) -> Operation[models.Answer]:
    """Revoke a named API key, and every key that was created with it."""
    return Operation("DELETE", _path(bot_id, key_id), models.Answer.parse)


def get_all_api_keys(*, after_id: int | None = None, limit: int | None = None) -> Operation[models.APIKeys]:
    """The valid API keys of the whole organization, by ID. For administrators."""
    return Operation("GET", "api_keys", models.APIKeys.parse, {"after_id": after_id, "limit": limit})


def revoke_any_api_key(key_id: int) -> Operation[models.Answer]:
    """Revoke a named API key of any account. For administrators."""
    return Operation("DELETE", f"api_keys/{int(key_id)}", models.Answer.parse)


def revoke_found_api_key(api_key: str | Secret) -> Operation[models.Answer]:
    """Revoke an API key that was found somewhere. The answer is the same whether the key exists or not.

    No credentials are sent.
    """
    key = api_key if isinstance(api_key, Secret) else Secret(api_key)
    return Operation(
        "POST", "api_keys/revoke_by_possession", models.Answer.parse, {"api_key": key}, authenticated=False
    )
