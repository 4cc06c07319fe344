"""Reads the JSON of an answer into frozen dataclasses: strict about required fields, tolerant of everything else."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, KeysView, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Generic, Self, TypeVar, dataclass_transform, overload

from keybearer.errors import NotAZulipServer
from keybearer.secret import Secret

T = TypeVar("T")
A = TypeVar("A", bound="Answer")

SECRET_NAMES = frozenset({"api_key", "token"})
"""The names of secret values, anywhere in an answer."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def model(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of a class of answers. Writing and compiling methods that `Answer` has for all of them
    would take a third of the time in which they are loaded.
    """
    return dataclass(frozen=True, kw_only=True, repr=False, eq=False)(cls)


@model
class Answer:
    """The answer of the server, as attributes, and by the names of Zulip's API: `answer["msg"]`.

    Fields that this version of Keybearer does not know are available by name.
    """

    wire: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, wire: Mapping[str, Any]) -> Self:
        """Read an answer. Raises NotAZulipServer if a field that every Zulip server sends is missing or wrong."""
        try:
            return _read(cls, wire)
        except _Odd as odd:
            raise NotAZulipServer(
                f"The answer's {odd.args[0]!r} is missing or not what Zulip sends",
                hint="Check that the site is a Zulip server, and which version it runs",
            ) from None

    @property
    def ignored_parameters(self) -> tuple[str, ...]:
        """The parameters of the call that the server does not know and has ignored."""
        ignored = self.wire.get("ignored_parameters_unsupported")
        return tuple(one for one in ignored if isinstance(one, str)) if isinstance(ignored, list) else ()

    def _compared(self) -> tuple[object, ...]:
        return tuple(getattr(self, one.name) for one in fields(self) if one.compare)

    def __eq__(self, other: object) -> bool:
        return (
            self._compared() == other._compared()
            if isinstance(other, type(self)) and type(other) is type(self)
            else NotImplemented
        )

    def __hash__(self) -> int:
        return hash(self._compared())

    def __repr__(self) -> str:
        shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
        return f"{type(self).__qualname__}({shown})"

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever the server sent under that name
        return self.wire[name]

    def __contains__(self, name: object) -> bool:
        return name in self.wire

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as above
        """The value that the server sent under `name`, or the default."""
        return self.wire.get(name, default)

    def keys(self) -> KeysView[str]:
        """The names that the server sent. With this, `dict(answer)` works."""
        return self.wire.keys()


@model
class Listing(Answer, Generic[T]):
    """An answer that is mostly a list. It can be iterated, counted and indexed."""

    @property
    def rows(self) -> tuple[T, ...]:
        """The list itself."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __bool__(self) -> bool:
        return bool(self.rows)

    @overload
    def __getitem__(self, name: int) -> T: ...
    @overload
    def __getitem__(self, name: str) -> Any: ...  # noqa: ANN401 - whatever the server sent under that name
    def __getitem__(self, name: int | str) -> Any:
        return self.rows[name] if isinstance(name, int) else self.wire[name]


def _sealed(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same JSON with its secrets as Secrets, so that printing it does not show them."""
    if isinstance(value, list):
        return [_sealed(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    sealed = {}
    for name, inner in value.items():
        if isinstance(inner, dict | list):
            sealed[name] = _sealed(inner)
        else:
            sealed[name] = Secret(inner) if name in SECRET_NAMES and isinstance(inner, str) else inner
    return sealed


class _Odd(TypeError):
    """A value has the wrong type. The argument is its name."""


def _read(cls: type[A], wire: Mapping[str, Any]) -> A:
    values: dict[str, object] = {}
    for name, plain, convert, required in _plan(cls):
        value = wire.get(name)
        if type(value) is plain:
            values[name] = value
            continue
        if value is None and not required:
            continue
        try:
            values[name] = convert(value)
        except TypeError:
            if required:
                raise _Odd(name) from None
    return cls(wire=_sealed(dict(wire)), **values)


Converter = Callable[[Any], object]


Plan = tuple[tuple[str, type | None, Converter, bool], ...]

_PLANS: dict[type[Answer], Plan] = {}


def _plan(cls: type[Answer]) -> Plan:
    """Each field of the class, with the type whose values need no conversion, the function that reads others, and
    whether the field is required.
    """
    if cls not in _PLANS:
        hints = typing.get_type_hints(cls)
        _PLANS[cls] = tuple(
            (
                one.name,
                _plain(hints[one.name]),
                _converter(hints[one.name]),
                one.default is MISSING and one.default_factory is MISSING,
            )
            for one in fields(cls)
            if one.name != "wire"
        )
    return _PLANS[cls]


_UNIONS = {types.UnionType, typing.Union}
_PLAIN = {int, str, bool, float}


def _plain(hint: Any) -> type | None:  # noqa: ANN401 - a type, or one of typing's forms
    options = typing.get_args(hint) if typing.get_origin(hint) in _UNIONS else (hint,)
    return next((one for one in options if one in _PLAIN), None)


def _converter(hint: Any) -> Converter:  # noqa: ANN401 - a type, or one of typing's forms
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in _UNIONS:
        inner = _converter(next(one for one in arguments if one is not type(None)))
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        element = _converter(arguments[0])
        return lambda value: tuple(element(one) for one in _expect(list, value))
    if isinstance(hint, type) and issubclass(hint, Answer):
        return lambda value: _read(hint, _expect(dict, value))
    if hint is Secret:
        return lambda value: Secret(_expect(str, value))
    if hint in _PLAIN:
        return lambda value: _expect(hint, value)
    return lambda value: value


def _expect(kind: type[T], value: object) -> T:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError
    return value
