"""Calls about the server itself, to any endpoint by its path, and for the key with a password."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any

from keybearer.client import models
from keybearer.client.operations.arguments import Seconds
from keybearer.client.operations.operation import Operation
from keybearer.client.operations.parameters import METHODS, api_path
from keybearer.client.operations.uploads import file_part
from keybearer.errors import UnusableRequest
from keybearer.secret import Secret


def request(
    method: str,
    path: str,
    params: Mapping[str, object] | None = None,
    *,
    files: Iterable[IO[bytes]] = (),
    timeout: Seconds | None = None,
) -> Operation[dict[str, Any]]:
    """Any endpoint of Zulip's API: `request("GET", "users/me")`. Returns the whole answer as a dict.

    `path` is the part after `/api/v1/`. Values that are not text are sent as JSON; None is not sent. They are in
    the query for GET and HEAD, else in a form. `timeout` is in seconds. Raises UnusableRequest if the call cannot be
    sent as a request, else ClientError.
    """
    upper = method.upper()
    if upper not in METHODS:
        raise UnusableRequest(f"{method!r} is not an HTTP method", hint=f"Use one of {', '.join(sorted(METHODS))}")
    parts = tuple(file_part(one) for one in files)
    if parts and upper in {"GET", "HEAD", "OPTIONS"}:
        raise UnusableRequest(f"{upper} cannot send files", hint="Use POST")
    return Operation(upper, api_path(path), dict, params or {}, files=parts, timeout=timeout)


def get_server_settings() -> Operation[models.ServerSettings]:
    """The public facts about the server: its version, its name, the ways to sign in. Sends no key."""
    return Operation("GET", "server_settings", models.ServerSettings.parse, authenticated=False)


def fetch_api_key(username: str, password: str | Secret) -> Operation[models.FetchedKey]:
    """Fetch a person's API key with the password. Sends no key.

    Raises PasswordRefused; RateLimited after some wrong passwords. Write the answer's `email` into the zuliprc: an
    account may sign in with another name.
    """
    secret = password if isinstance(password, Secret) else Secret(password)
    return Operation(
        "POST",
        "fetch_api_key",
        models.FetchedKey.parse,
        {"username": username, "password": secret},
        authenticated=False,
    )


def dev_fetch_api_key(username: str) -> Operation[models.FetchedKey]:
    """Fetch any person's API key without a password, on development servers only. Sends no key."""
    return Operation("POST", "dev_fetch_api_key", models.FetchedKey.parse, {"username": username}, authenticated=False)
