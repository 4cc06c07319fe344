"""Checks the arguments of every call against the types that its function names, before anything is sent."""

from __future__ import annotations

import functools
import inspect
import math
import operator
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from types import NoneType, UnionType
from typing import IO, Annotated, Any, ParamSpec, TypeVar

from keybearer.errors import InvalidArgument

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_TIMEOUT = 31_536_000
"""The most seconds of a timeout: a year. The system's clocks do not accept much larger numbers."""

Seconds = Annotated[float, "seconds"]
"""A number of seconds above zero, and not above LONGEST_TIMEOUT."""

_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "True or False",
    IO: "a file opened in binary mode",
}


signature_of = functools.cache(inspect.signature)
"""The signature of a function."""


def checked(build: Callable[P, T]) -> Callable[P, T]:
    """The same function, which raises InvalidArgument for an argument whose type differs from the signature."""
    signature = signature_of(build)

    @functools.wraps(build)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if args or kwargs:
            given = signature.bind(*args, **kwargs).arguments
            hints = _hints_of(build)
            require_types(f"{build.__name__}()", {name: hints[name] for name in given}, given)
        return build(*args, **kwargs)

    return call


def require_types(where: str, hints: Mapping[str, object], values: Mapping[str, object]) -> None:
    """Raise InvalidArgument for the first value with a wrong type."""
    for name, hint in hints.items():
        if not _fits(hint, values[name]):
            raise InvalidArgument(
                f"{name} of {where} must be {_described(hint)}, not {_kind_of(values[name])}", hint="Nothing was sent"
            )


@functools.cache
def _hints_of(build: Callable[..., object]) -> dict[str, object]:
    """The type of each parameter. Parameters such as `**options` take any values."""
    hints: dict[str, object] = typing.get_type_hints(build, include_extras=True)
    collecting = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    return hints | {
        name: Any for name, parameter in signature_of(build).parameters.items() if parameter.kind in collecting
    }


def _fits(hint: Any, value: Any) -> bool:  # noqa: ANN401 - any type, any value
    if hint is Any or hint is object:
        return True
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    test = _TESTS.get(origin)
    return isinstance(value, NoneType if origin is None else origin) if test is None else test(value, arguments)


def _is_whole(value: object) -> bool:
    """Whether the value is a whole number, or its digits as text, since IDs are often read from text."""
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        return value.isascii() and value.isdigit()
    try:
        operator.index(value)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return False
    return True


def _is_list(origin: object, element: object, value: object) -> bool:
    """Whether the value has several elements of a kind. A text is one value, although it can be iterated."""
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        return False
    if not isinstance(value, Sequence | Set):
        return origin is Iterable  # a generator, which can be iterated only once
    return all(_fits(element, one) for one in value)


def _is_dict(value: object, kinds: tuple[object, ...]) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(_fits(kinds[0], name) and _fits(kinds[1], one) for name, one in value.items())


def _is_any_of(value: object, kinds: tuple[object, ...]) -> bool:
    return any(_fits(kind, value) for kind in kinds)


_TESTS: dict[object, Callable[[Any, tuple[Any, ...]], bool]] = {
    int: lambda value, _: _is_whole(value),
    float: lambda value, _: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
    IO: lambda value, _: hasattr(value, "read"),
    Callable: lambda value, _: callable(value),
    Mapping: _is_dict,
    Sequence: lambda value, kinds: _is_list(Sequence, kinds[0], value),
    Iterable: lambda value, kinds: _is_list(Iterable, kinds[0], value),
    UnionType: _is_any_of,
    typing.Union: _is_any_of,
    Annotated: lambda value, kinds: _fits(kinds[0], value) and 0 < value <= LONGEST_TIMEOUT,
}
"""For each form of type: a function that checks a value, given the arguments of the type."""


def _described(hint: Any) -> str:  # noqa: ANN401 - any type
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is Annotated:
        return f"a number of seconds, above 0 and at most {LONGEST_TIMEOUT}"
    if origin in {UnionType, typing.Union}:
        return " or ".join(dict.fromkeys(_described(one) for one in arguments if one is not NoneType))
    if origin in {Sequence, Iterable}:
        return f"a list of {_described(arguments[0])}"
    if origin is Callable:
        return "a function"
    if origin is Mapping:
        return "a dict"
    return _NAMES.get(origin) or ("anything" if origin in {Any, object} else f"a {origin.__name__}")


def _kind_of(value: object) -> str:
    """A description of the value without its text, which may be a secret."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value) if not isinstance(value, int) or abs(value) < 10**12 else "a huge number"
    if isinstance(value, list | tuple | set) and value:
        kinds = dict.fromkeys(type(one).__name__ for one in value)
        return f"a {type(value).__name__} of {' and '.join(kinds)}"
    return type(value).__name__
