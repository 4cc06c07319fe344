"""What calls about API keys return."""

from __future__ import annotations

from keybearer.client.models.base import Answer, Listing, model
from keybearer.secret import Secret


@model
class APIKey(Answer):
    """An API key of an account, without its text. Times are in Unix seconds.

    `networks` are those that it may be used from; if empty, from everywhere. `user_id` is its account. For a key
    that was replaced, `replaced_by` is the ID of the new one until the overlap ends.
    """

    id: int
    name: str
    scopes: tuple[str, ...]
    is_account_key: bool
    created_at: int
    created_by: int | None = None
    expires_at: int | None = None
    last_used_at: int | None = None
    last_used_address: str | None = None
    last_used_client: str | None = None
    networks: tuple[str, ...] = ()
    user_id: int | None = None
    replaced_by: int | None = None
    is_unused: bool = False


@model
class APIKeys(Listing[APIKey]):
    """The API keys that work, the oldest first."""

    api_keys: tuple[APIKey, ...]

    @property
    def rows(self) -> tuple[APIKey, ...]:
        """The keys."""
        return self.api_keys


@model
class NewAPIKey(Answer):
    """A named key that was just created. Its text is shown nowhere else."""

    id: int
    api_key: Secret
