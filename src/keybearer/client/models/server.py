"""What calls about the server return, and the key for a password."""

from __future__ import annotations

from typing import Any

from keybearer.client.models.base import Answer, model
from keybearer.secret import Secret


@model
class ServerSettings(Answer):
    """The public settings of a server."""

    zulip_version: str
    zulip_feature_level: int = 0
    realm_url: str | None = None
    realm_uri: str | None = None
    realm_name: str | None = None
    email_auth_enabled: bool | None = None
    require_email_format_usernames: bool | None = None
    authentication_methods: Any = None
    external_authentication_methods: Any = None


@model
class FetchedKey(Answer):
    """An account's API key, fetched with its password. `email` is the one to write into a zuliprc."""

    api_key: Secret
    email: str
    user_id: int | None = None
