"""Writes the path and the values of a call into a request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from keybearer.errors import UnusableRequest
from keybearer.secret import Secret
from keybearer.zuliprc.literal import is_encodable

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
PREFIX = "/api/v1/"

_PATH_CHARACTERS = "/@:!$&'()*+,;=~"


def encode_value(name: str, value: object) -> str | Secret:
    """A value as Zulip's API expects it: text as it is, everything else as JSON. A Secret stays a Secret."""
    if isinstance(value, str | Secret):
        _require_text(name, value if isinstance(value, str) else value.reveal())
        return value
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_as_json)
    except (TypeError, ValueError, RecursionError):
        raise UnusableRequest(
            f"The value of {name!r} ({type(value).__name__}) cannot be written as JSON",
            hint="Pass text, numbers, booleans, lists and dicts",
        ) from None


def _require_text(what: str, text: str) -> None:
    """Raise UnusableRequest for lone surrogates, which stand for bytes that were not UTF-8."""
    if not is_encodable(text):
        raise UnusableRequest(
            f"{what!a} is not text that can be written as UTF-8", hint="Decode it with its own encoding"
        )


def _as_json(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError


def encode_parameters(parameters: Mapping[str, object]) -> tuple[tuple[str, str | Secret], ...]:
    """Names with their encoded values, without those that are None, as in Zulip's bindings."""
    for name in parameters:
        _require_text(name, name)
    return tuple((name, encode_value(name, value)) for name, value in parameters.items() if value is not None)


def merged(request: Mapping[str, Any] | None, /, **named: object) -> dict[str, object]:
    """The parameters of a call that takes a dict, as in Zulip's bindings, and names. Names take precedence."""
    return {**(request or {}), **{name: value for name, value in named.items() if value is not None}}


def required_id(parameters: Mapping[str, object], name: str) -> int:
    """The ID for the path of a call. Raises UnusableRequest if there is none."""
    value = parameters.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str) or not re.fullmatch(r"[0-9]{1,18}", str(value)):
        raise UnusableRequest(f"There is no {name}, or it is not a whole number", hint=f"Pass {name}")
    return int(value)


def api_path(path: str) -> str:
    """The quoted path of an endpoint below `/api/v1/`, however it was written: `users/me`, `/users/me`,
    `/api/v1/users/me`.

    Raises UnusableRequest for anything else: a whole URL, `..`, a query or a fragment.
    """
    plain = path.removeprefix(PREFIX).strip("/") if path.startswith(PREFIX) else path.lstrip("/")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        raise UnusableRequest(
            "A path of the API is expected, not a whole URL",
            hint="Calls go only to the site of the credentials: write the part after /api/v1/, such as users/me",
        )
    if "?" in plain or "#" in plain:
        raise UnusableRequest(
            "A path of the API has no query and no fragment", hint="Pass the parameters by name instead"
        )
    if not plain or any(part in {".", ".."} for part in re.split(r"[/\\]", plain)):
        raise UnusableRequest(f"{path!r} is not a path of the API", hint="Write it like users/me")
    _require_text(path, path)
    return quote(plain, safe=_PATH_CHARACTERS)


def segment(value: object) -> str:
    """A value, such as an email, as one part of a path. It is quoted, so it cannot name another endpoint."""
    _require_text(str(value), str(value))
    text = quote(str(value), safe="@+")
    if text in {"", ".", ".."}:
        raise UnusableRequest(f"{str(value)!r} cannot be part of a path", hint="Pass an id, a name or an email")
    return text
