"""Shows API keys to people and programs, never with their text."""

from __future__ import annotations

from keybearer import api_key
from keybearer.cli import moments
from keybearer.client.models.api_keys import APIKey
from keybearer.client.sync import Client
from keybearer.errors import APIError, NotAZulipServer


def key_in_use(client: Client) -> APIKey | None:
    """The key that the client uses; None if its server has no named keys. Only Keybearer's keys are looked up."""
    credentials = client.credentials
    if credentials is None or not api_key.is_ours(credentials.api_key.reveal()):
        return None
    try:
        return client.get_current_api_key()
    except NotAZulipServer:
        return None
    except APIError as error:
        if error.status != 404:
            raise
        return None


def lacks_account_key(client: Client, bot_id: int) -> bool:
    """Whether a bot has no account key, as after a leaked key was revoked. False if the server does not say."""
    if key_in_use(client) is None:
        return False
    try:
        return not any(key.is_account_key for key in client.get_api_keys(bot_id=bot_id))
    except APIError:
        return False


def moment(seconds: int | None, otherwise: str) -> str:
    """A time of the wire in the time zone of this machine; `otherwise` if there is none."""
    return otherwise if seconds is None else moments.moment(seconds)


def name_of(key: APIKey) -> str:
    """The name of the key, with quotation marks; the account key has none."""
    return "account key" if key.is_account_key else f'"{key.name}"'


def described(key: APIKey) -> str:
    """A key in one line: `named key "backup" (read, send), ends 2027-01-31 12:00`."""
    which = name_of(key) if key.is_account_key else f"named key {name_of(key)}"
    networks = f", from {', '.join(key.networks)}" if key.networks else ""
    return f"{which} ({', '.join(key.scopes)}){networks}, {ending(key)}"


def ending(key: APIKey) -> str:
    """When the key ends, as the end of a sentence."""
    return "never ends" if key.expires_at is None else f"ends {moment(key.expires_at, '')}"


def as_json(key: APIKey) -> dict[str, object]:
    """A key as JSON, for programs, with the names of the wire."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "is_account_key": key.is_account_key,
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "last_used_address": key.last_used_address,
        "last_used_client": key.last_used_client,
        "networks": list(key.networks),
        "replaced_by": key.replaced_by,
        "is_unused": key.is_unused,
    }
