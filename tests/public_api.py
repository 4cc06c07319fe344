"""The reference of the Python API, made from the public modules.

`python -m tests.public_api` writes it again.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
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
For the use of the client, see [the client](client.md).
"""

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


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
    if inspect.ismodule(value) or isinstance(value, str):
        return f"\n### {name}\n\nA {'module' if inspect.ismodule(value) else 'text'}.\n"
    lines = [f"{name}{_signature(value)}"]
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        lines = [f"class {name}({bases})" if bases else f"class {name}", *_members(value)]
    return f"\n### {name}\n\n{_summary(value)}\n\n```text\n" + "\n".join(lines) + "\n```\n"


def _summary(value: object) -> str:
    return (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ")


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
        elif callable(member) or isinstance(member, classmethod | staticmethod):
            kind = "classmethod " if isinstance(member, classmethod) else ""
            yield f"    {kind}{name}{_signature(getattr(cls, name))}"


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
        text = str(inspect.signature(value))  # type: ignore[arg-type]
    except ValueError:
        return "(...)"
    for internal in ("'", '"', "models."):  # users import models from `keybearer`
        text = text.replace(internal, "")
    return _ADDRESS.sub("", text)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
