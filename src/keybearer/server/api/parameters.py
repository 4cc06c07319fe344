"""A request's parameters as Zulip reads them: form before query, JSON-encoded unless plain text, unknown ones named."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import msgspec
from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive, Scope

from keybearer.server.api.answers import TooLarge
from keybearer.server.domain.errors import Refused
from keybearer.server.middleware import csrf
from keybearer.server.middleware.origins import header

LARGEST_FORM = 1024 * 1024
LARGEST_MULTIPART = 8 * 1024 * 1024
"""Room for the picture that a client may send with a bot, though pictures are drawn here."""

MOST_FIELDS = 1000
"""Django's DATA_UPLOAD_MAX_NUMBER_FIELDS."""

SMALLEST, LARGEST = -(2**31), 2**31 - 1
"""The whole numbers that both databases keep in an integer column."""

_ALWAYS_KNOWN = frozenset({"client", csrf.FIELD})
"""Parameters that every endpoint takes without reading them: a client's name for itself, and the form's token."""

_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file of a form, with its name and type by the client's word."""

    field: str
    name: str
    content_type: str
    content: bytes


class Disconnected(Exception):
    """The client went away before its request was whole."""


class Parameters:
    """What a request says. Each reader names the parameter in its refusal; what nobody read is unsupported.

    `files` are the fields of uploaded files, `method` the method that a posted form means in place of POST.
    """

    __slots__ = ("_read", "_texts", "_uploaded", "files", "method")

    def __init__(
        self, texts: Mapping[str, str], uploaded: Sequence[UploadedFile] = (), method: str | None = None
    ) -> None:
        self._texts = texts
        self._uploaded = uploaded
        self._read: set[str] = set()
        self.files = [file.field for file in uploaded] if uploaded else []
        self.method = method

    def uploaded_files(self) -> Sequence[UploadedFile]:
        """The uploaded files, whatever their fields are called."""
        self._read.update(self.files)
        return self._uploaded

    @property
    def unsupported(self) -> list[str]:
        """The names that no reader asked for, sorted."""
        return sorted({*self._texts, *self.files} - self._read - _ALWAYS_KNOWN)

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
        return _checked_text(name, self._texts[name], max_length)

    def text(self, name: str, *, max_length: int | None = None) -> str:
        """A plain text that must be there."""
        text = self.optional_text(name, max_length=max_length)
        if text is None:
            raise missing(name)
        return text

    def optional_json(self, name: str) -> Any:  # noqa: ANN401  the callers check its type
        """A JSON-encoded value, None where it was not sent."""
        text = self.optional_text(name)
        if text is None:
            return None
        try:
            value = _decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            raise Refused(f"{name} is not valid JSON") from None
        check_no_nulls(name, text, value)
        return value

    def optional_integer(self, name: str) -> int | None:
        """A whole number, None where it was not sent."""
        value = self.optional_json(name)
        if value is None and name not in self._texts:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused(f"{name} is not an integer")
        if not SMALLEST <= value <= LARGEST:
            raise Refused(f"{name} is too {'large' if value > 0 else 'small'}")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number; where it was not sent the default, or without one a refusal."""
        value = self.optional_integer(name)
        if value is not None:
            return value
        if default is None:
            raise missing(name)
        return default

    def choice(self, name: str, allowed: Sequence[int]) -> int | None:
        """A whole number out of some, None where it was not sent."""
        value = self.optional_integer(name)
        if value is not None and value not in allowed:
            raise Refused(f"Invalid {name}: Value error, Not in the list of possible values")
        return value

    def optional_boolean(self, name: str) -> bool | None:
        """`true` or `false`, None where it was not sent."""
        value = self.optional_json(name)
        if value is None and name not in self._texts:
            return None
        if not isinstance(value, bool):
            raise Refused(f"{name} is not a boolean")
        return value

    def optional_json_text(self, name: str, *, max_length: int | None = None) -> str | None:
        """A text that is JSON-encoded on the wire, None where it was not sent."""
        value = self.optional_json(name)
        if value is None and name not in self._texts:
            return None
        if not isinstance(value, str):
            raise Refused(f"{name} is not a string")
        return _checked_text(name, value, max_length)

    def optional_dict(self, name: str) -> dict[str, Any] | None:
        """A JSON object, None where it was not sent."""
        value = self.optional_json(name)
        if value is None and name not in self._texts:
            return None
        if not isinstance(value, dict):
            raise Refused(f"{name} is not a dict")
        return value

    def optional_integers(self, name: str) -> list[int] | None:
        """A JSON list of whole numbers, None where it was not sent."""
        value = self.optional_json(name)
        if value is None and name not in self._texts:
            return None
        if not isinstance(value, list):
            raise Refused(f"{name} is not a list")
        for index, each in enumerate(value):
            if not isinstance(each, int) or isinstance(each, bool):
                raise Refused(f"{name}[{index}] is not an integer")
        return value


def check_no_nulls(name: str, text: str, value: object) -> None:
    """Raise Refused where a value that was decoded from JSON holds a null character, which PostgreSQL cannot keep."""
    if "\\u0000" in text and _holds_null(value):
        raise Refused(f"{name} cannot contain null bytes")


def _holds_null(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, Mapping):
        return any(_holds_null(key) or _holds_null(each) for key, each in value.items())
    return isinstance(value, list) and any(map(_holds_null, value))


def _checked_text(name: str, text: str, max_length: int | None) -> str:
    if "\x00" in text:  # PostgreSQL cannot keep it
        raise Refused(f"{name} cannot contain null bytes")
    if max_length is not None and len(text) > max_length:
        raise Refused(f"{name} is too long (limit: {max_length} characters)")
    return text


def missing(name: str) -> Refused:
    """Zulip's refusal of a request that lacks a parameter."""
    return Refused(f"Missing '{name}' argument", code="REQUEST_VARIABLE_MISSING", extra={"var_name": name})


NO_PARAMETERS: Mapping[str, str] = {}


async def read_parameters(scope: Scope, receive: Receive, *, largest_multipart: int = LARGEST_MULTIPART) -> Parameters:
    """The parameters of a request; of one sent in both, the form's value wins, and of one sent twice the last.

    A body that is not a form, as JSON, holds no parameter. Raises Refused for a form that cannot be read, TooLarge for
    one that is too large, Disconnected where the client goes away.
    """
    query = scope["query_string"]
    has_form = scope["method"] not in ("GET", "HEAD")
    if not query and not has_form:
        return Parameters(NO_PARAMETERS)
    texts = _fields(query) if query else {}
    form: dict[str, str] = {}
    files: Sequence[UploadedFile] = ()
    if has_form:
        content_type = header(scope, b"content-type") or ""
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "application/x-www-form-urlencoded":
            form = _fields(await _read_body(scope, receive, LARGEST_FORM))
        elif kind == "multipart/form-data":
            form, files = await _multipart(scope, await _read_body(scope, receive, largest_multipart))
    method = form.get("method") if scope["method"] == "POST" else None
    return Parameters({**texts, **form}, files, method)


def _fields(encoded: bytes) -> dict[str, str]:
    try:
        text = encoded.decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace"))
    except ValueError:
        _refuse_form()


def _refuse_form() -> NoReturn:
    raise Refused("The form in the request's body cannot be read.") from None


async def _read_body(scope: Scope, receive: Receive, largest: int) -> bytes:
    length = header(scope, b"content-length") or ""
    if length.isascii() and length.isdigit() and int(length[:20]) > largest:
        raise TooLarge("The request is too large.")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > largest:  # a chunked body says its length to nobody
            raise TooLarge("The request is too large.")
        if not message.get("more_body", False):
            return bytes(body)


async def _multipart(scope: Scope, body: bytes) -> tuple[dict[str, str], list[UploadedFile]]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    parser = MultiPartParser(
        Headers(scope=scope), stream(), max_files=MOST_FIELDS, max_fields=MOST_FIELDS, max_part_size=len(body)
    )
    try:
        form = await parser.parse()
    except (MultiPartException, FormParserError, LookupError, UnicodeError, ValueError):
        _refuse_form()
    texts = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    files = [
        UploadedFile(name, value.filename or "", value.content_type or "", await value.read())
        for name, value in form.multi_items()
        if isinstance(value, UploadFile)
    ]
    await form.close()
    return texts, files
