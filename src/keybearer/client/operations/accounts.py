"""Calls about the caller's account and other accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keybearer.client import models
from keybearer.client.operations.operation import Operation
from keybearer.client.operations.parameters import merged, segment
from keybearer.secret import Secret


def get_profile(request: Mapping[str, Any] | None = None) -> Operation[models.Profile]:
    """The caller's own account."""
    return Operation("GET", "users/me", models.Profile.parse, request or {})


def get_users(request: Mapping[str, Any] | None = None, **options: Any) -> Operation[models.Members]:  # noqa: ANN401
    """All accounts of the organization, including bots and deactivated accounts.

    Options are Zulip's: `client_gravatar`, `include_custom_profile_fields`, `user_ids`.
    """
    return Operation("GET", "users", models.Members.parse, merged(request, **options))


def _user(answer: Mapping[str, Any]) -> models.User:
    """The account itself. By the names of the wire, it also has the answer around it."""
    return models.User.parse({**models.FoundUser.parse(answer).user.wire, **answer})


def get_user_by_id(user_id: int, **options: Any) -> Operation[models.User]:  # noqa: ANN401
    """An account by its ID. Raises APIError if there is none."""
    return Operation("GET", f"users/{int(user_id)}", _user, options)


def get_user_by_email(email: str, **options: Any) -> Operation[models.User]:  # noqa: ANN401
    """An account by its email. Raises APIError if the caller may see no such account."""
    return Operation("GET", f"users/{segment(email)}", _user, options)


def create_user(
    request: Mapping[str, Any] | None = None,
    *,
    email: str | None = None,
    password: str | Secret | None = None,
    full_name: str | None = None,
) -> Operation[models.NewUser]:
    """Create an account for a person. The settings of the server say who may."""
    parameters = merged(request, email=email, password=password, full_name=full_name)
    if isinstance(parameters.get("password"), str):
        parameters["password"] = Secret(str(parameters["password"]))
    return Operation("POST", "users", models.NewUser.parse, parameters)


def update_user_by_id(user_id: int, **changes: Any) -> Operation[models.Answer]:  # noqa: ANN401
    """Change an account: `full_name`, `role` (100, 200, 300, 400 or 600), `profile_data`. For administrators."""
    return Operation("PATCH", f"users/{int(user_id)}", models.Answer.parse, changes)


def deactivate_user_by_id(user_id: int) -> Operation[models.Answer]:
    """Deactivate an account and its bots. For administrators."""
    return Operation("DELETE", f"users/{int(user_id)}", models.Answer.parse)


def reactivate_user_by_id(user_id: int) -> Operation[models.Answer]:
    """Reactivate an account or a bot. For administrators, and for the owner of the bot."""
    return Operation("POST", f"users/{int(user_id)}/reactivate", models.Answer.parse)


def deactivate_own_user() -> Operation[models.Answer]:
    """Deactivate the caller's own account."""
    return Operation("DELETE", "users/me", models.Answer.parse)


def update_presence(request: Mapping[str, Any] | None = None, **options: Any) -> Operation[models.Answer]:  # noqa: ANN401
    """Report the caller's presence: `status` is `active` or `idle`. People only."""
    return Operation("POST", "users/me/presence", models.Answer.parse, merged(request, **options))
