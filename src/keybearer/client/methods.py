"""Turns the functions in operations/ into methods of the clients, so that each call is written once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from keybearer.client.flow.protocol import Composite
from keybearer.client.operations.arguments import checked, signature_of
from keybearer.client.operations.operation import Operation

P = ParamSpec("P")
T = TypeVar("T")


def blocking(build: Callable[P, Operation[T] | Composite[T]]) -> Callable[Concatenate[Any, P], T]:
    """A method of Client that makes the call and returns its result."""
    call = checked(build)

    def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:  # noqa: ANN401 - a client
        result: T = self.perform(call(*args, **kwargs))
        return result

    return _like(method, build)


def awaiting(
    build: Callable[P, Operation[T] | Composite[T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """A method of AsyncClient that makes the call and returns its result."""
    call = checked(build)

    async def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:  # noqa: ANN401 - a client
        result: T = await self.perform(call(*args, **kwargs))
        return result

    return _like(method, build)


def _like(method: Callable[P, T], build: Callable[..., object]) -> Callable[P, T]:
    """Give the method the function's name, docstring and arguments, and the type of its result, for help()."""
    functools.update_wrapper(method, build)
    signature = signature_of(build)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    returned = str(signature.return_annotation).partition("[")[2].removesuffix("]")
    returned = returned.replace("models.", "")  # programs import these types from keybearer
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]  # inspect reads it from any callable
        parameters=[itself, *signature.parameters.values()], return_annotation=returned
    )
    return method
