"""A request's parameters as Zulip reads them: form before query, JSON-encoded unless plain text, unknown ones named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.datastructures import FormData, QueryParams, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Receive, Scope

from keybearer.server.domain.errors import Refused

MAX_BODY = 30 * 1024 * 1024
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")

_decode = msgspec.json.Decoder().decode


class Parameters:
    """What a request says. Each reader names the parameter in its refusal; what nobody read is unsupported."""

    def __init__(self, texts: Mapping[str, str], files: list[UploadFile]) -> None:
        self._texts = texts
        self._read: set[str] = set()
        self.files = files

    @property
    def unsupported(self) -> list[str]:
        """The names that no reader asked for, sorted."""
        return sorted(set(self._texts) - self._read)

    def peek(self, name: str) -> str | None:
        """A plain text, without making the parameter a supported one."""
        return self._texts.get(name)

    def has(self, name: str) -> bool:
        """Whether the parameter was sent."""
        self._read.add(name)
        return name in self._texts

    def optional_text(self, name: str, *, max_length: int | None = None) -> str | None:
        """A plain text, None where it was not sent."""
        if not self.has(name):
            return None
        text = self._texts[name]
        if "\x00" in text:
            raise Refused(f"{name} cannot contain null bytes")
        if max_length is not None and len(text) > max_length:
            raise Refused(f"{name} is too long (limit: {max_length} characters)")
        return text

    def text(self, name: str, *, max_length: int | None = None) -> str:
        """A plain text that must be there."""
        text = self.optional_text(name, max_length=max_length)
        if text is None:
            raise missing(name)
        return text

    def optional_json(self, name: str) -> Any:  # noqa: ANN401  the callers below check its type
        """A JSON-encoded value, None where it was not sent."""
        text = self.optional_text(name)
        if text is None:
            return None
        try:
            return _decode(text)
        except msgspec.DecodeError:
            raise Refused(f"{name} is not valid JSON") from None

    def optional_integer(self, name: str) -> int | None:
        """A whole number."""
        value = self.optional_json(name)
        if value is None and not self.has(name):
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused(f"{name} is not an integer")
        if not -(2**31) <= value < 2**31:
            raise Refused(f"{name} is too {'large' if value > 0 else 'small'}")
        return value

    def integer(self, name: str, default: int) -> int:
        """A whole number, the default where it was not sent."""
        value = self.optional_integer(name)
        return default if value is None else value

    def boolean(self, name: str, *, default: bool = False) -> bool:
        """`true` or `false`, the default where it was not sent."""
        value = self.optional_json(name)
        if value is None and not self.has(name):
            return default
        if not isinstance(value, bool):
            raise Refused(f"{name} is not a boolean")
        return value

    def optional_json_text(self, name: str) -> str | None:
        """A text that is JSON-encoded on the wire."""
        value = self.optional_json(name)
        if value is None and not self.has(name):
            return None
        if not isinstance(value, str):
            raise Refused(f"{name} is not a string")
        return value


def missing(name: str) -> Refused:
    """Zulip's refusal of a request that lacks a parameter."""
    return Refused(f"Missing '{name}' argument", code="REQUEST_VARIABLE_MISSING", extra={"var_name": name})


async def read_parameters(scope: Scope, receive: Receive) -> Parameters:
    """The parameters of a request; of one sent in both, the form's value wins. A JSON body is no parameter."""
    texts: dict[str, str] = {}
    files: list[UploadFile] = []
    if scope["query_string"]:
        texts.update(QueryParams(scope["query_string"]))
    if scope["method"] != "GET":
        for name, value in (await _read_form(scope, receive)).multi_items():
            if isinstance(value, UploadFile):
                files.append(value)
            else:
                texts[name] = value
    return Parameters(texts, files)


async def _read_form(scope: Scope, receive: Receive) -> FormData:
    request = Request(scope, receive)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _FORM_TYPES:
        return FormData()
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_BODY:
        raise Refused("The request is too large.")
    try:
        return await request.form(max_part_size=MAX_BODY)
    except (MultiPartException, UnicodeDecodeError):
        raise Refused("The form in the request's body cannot be read.") from None
