"""The reference of the Python API, made from the public modules.

`python -m tests.public_api` writes it again.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import keybearer
from keybearer import errors, server, testing

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "python.md"
_MODULES = (keybearer, errors, testing, server)

INTRODUCTION = """\
# The Python API

Made from the code by `python -m tests.public_api`. Everything public is importable from one of four modules:
`keybearer`, `keybearer.errors`, `keybearer.testing` and `keybearer.server`. Other modules may change in any version.
For the use of the client, see [the client](client.md). Methods that begin with `async` are awaited.
"""

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")

CONSTANTS = {
    "__version__": "The version of Keybearer.",
    "PASSWORD": "The password of every person that is added to a test server.",
}
"""The meaning of the public names that are neither classes nor functions nor modules."""


def public_names(module: ModuleType) -> list[str]:
    """The public names of a module: `__all__`, or for the errors every class that is defined there."""
    promised = getattr(module, "__all__", None)
    if promised is not None:
        return sorted(promised)
    own = inspect.getmembers(module, lambda value: inspect.isclass(value) and value.__module__ == module.__name__)
    return sorted(name for name, _ in own if not name.startswith("_"))


def render() -> str:
    """The page."""
    parts = [INTRODUCTION]
    for module in _MODULES:
        parts.append(f"\n## {module.__name__}\n")
        parts += [_described(each, getattr(module, each)) for each in public_names(module)]
    return "".join(parts)


def _described(name: str, value: object) -> str:
    if inspect.ismodule(value):
        return f"\n### {name}\n\nThe module `{value.__name__}`: see below.\n"
    if name in CONSTANTS:
        return f"\n### {name}\n\n{CONSTANTS[name]}\n\n```text\n{name}: {type(value).__name__}\n```\n"
    lines = [f"{name}{_signature(value)}"]
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        lines = [f"class {name}({bases})" if bases else f"class {name}", *_members(value)]
    return f"\n### {name}\n\n{_description(value)}\n\n```text\n" + "\n".join(lines) + "\n```\n"


def _description(value: object) -> str:
    """The docstring, with each paragraph in one line."""
    return "\n\n".join(" ".join(each.split()) for each in _paragraphs(value))


def _summary(member: object) -> Iterator[str]:
    """The first paragraph of the docstring of a member, indented below its line."""
    indent = " " * 8
    yield from textwrap.wrap(
        " ".join(_paragraphs(member)[0].split()), 112, initial_indent=indent, subsequent_indent=indent
    )


def _paragraphs(value: object) -> list[str]:
    return re.split(r"\n\s*\n", inspect.getdoc(value) or "")


def _members(cls: type) -> Iterator[str]:
    """A line for each field, property and method of the class itself or of its bases that are not public."""
    if issubclass(cls, enum.Enum):
        yield from (f"    {each.name} = {each.value!r}" for each in cls)
        return
    fields = {each.name: each for each in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else {}
    own = _own(cls)
    if "__init__" in own or fields:
        yield f"    __init__{_signature(cls.__init__)}"
    yield from (f"    {each.name}: {each.type}" for each in fields.values() if not each.name.startswith("_"))
    for name, member in sorted(own.items()):
        if name.startswith("_") or name in fields:
            continue
        if isinstance(member, property):
            yield f"    {name}: {inspect.get_annotations(member.fget).get('return', 'object')}"  # type: ignore[arg-type]
            yield from _summary(member)
        elif callable(member) or isinstance(member, classmethod | staticmethod):
            kind = "classmethod " if isinstance(member, classmethod) else ""
            kind = "async " if inspect.iscoroutinefunction(member) else kind
            yield f"    {kind}{name}{_signature(getattr(cls, name))}"
            yield from _summary(getattr(cls, name))


def _own(cls: type) -> dict[str, object]:
    """The members of the class itself, and those from bases outside the public modules."""
    public = {id(getattr(module, name)) for module in _MODULES for name in public_names(module)}
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        is_ours = base.__module__.startswith("keybearer")
        if base is cls or (is_ours and id(base) not in public):
            found |= vars(base)
    return found


def _signature(value: object) -> str:
    try:
        found = inspect.signature(value)  # type: ignore[arg-type]
    except ValueError:
        return "(...)"
    parameters = [each.replace(annotation=_unquoted(each.annotation)) for each in found.parameters.values()]
    found = found.replace(parameters=parameters, return_annotation=_unquoted(found.return_annotation))
    return _ADDRESS.sub("", str(found))


class _Annotation(str):
    """An annotation that is shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _unquoted(annotation: object) -> object:
    """The annotation with the names that users import, from `keybearer`, and without quotes."""
    if not isinstance(annotation, str):
        return annotation
    return _Annotation(re.sub(r"models\.|['\"]", "", annotation))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
