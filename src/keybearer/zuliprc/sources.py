"""The sources of settings (arguments, the environment, the file), and the origin of each value."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from keybearer.errors import ResolutionError
from keybearer.masking import masked_repr
from keybearer.secret import Secret
from keybearer.zuliprc.document import Document, DocumentEntry
from keybearer.zuliprc.fields import INSECURE, Field
from keybearer.zuliprc.literal import bare
from keybearer.zuliprc.values import parse_path

Kind = Literal["argument", "environment", "file", "default"]


@masked_repr
@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from.

    `place` is the name of the argument or variable, or `path:line`; empty for a default. `name` is the name of the
    setting there (`client_bundle` or `cert_bundle`, `key` or `passcmd`). `path` and `line` are set for files.
    """

    kind: Kind
    place: str = ""
    name: str = ""
    path: str = ""
    line: int = 0

    @property
    def source(self) -> tuple[Kind, str]:
        """Equal for all values from the same source."""
        return self.kind, self.path

    def __str__(self) -> str:
        return f"argument {self.name}" if self.kind == "argument" else self.place or self.kind


DEFAULT = Origin("default")


class RawSetting(NamedTuple):
    """The unchecked text of a setting in a source. `rival` is the origin of a contradicting text in that source.

    `padded` says that the source has white space or a line end around it, which is not part of the text.
    """

    origin: Origin
    text: Secret
    rival: Origin | None = None
    padded: bool = False


class Source(Protocol):
    """A source of settings. Finding one setting never raises an error about another."""

    def find(self, field: Field[Any]) -> RawSetting | None:
        """The text of the setting in this source; None if the source does not set it."""


class Arguments:
    """The arguments of a call or the options of a command. None means not given; the empty text is a value."""

    def __init__(self, values: Mapping[str, object]) -> None:
        """`values` by argument name. Raises ResolutionError of kind `usage` for a value of the wrong type."""
        self._texts = {name: _argument_text(name, value) for name, value in values.items() if value is not None}

    def find(self, field: Field[Any]) -> RawSetting | None:
        text = self._texts.get(field.argument)
        if text is None:
            return None
        value = text.reveal() if field.parser is parse_path else bare(text.reveal())  # a name may end in a space
        return RawSetting(
            Origin("argument", field.argument, field.argument), Secret(value), padded=value != text.reveal()
        )

    def get(self, name: str) -> str | None:
        """The text of an argument that is not a setting."""
        text = self._texts.get(name)
        return None if text is None else text.reveal()


class Environment:
    """Environment variables. An empty one counts as not set.

    White space and line ends around a value are ignored: secrets from CI services and files end in a line end.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def find(self, field: Field[Any]) -> RawSetting | None:
        return self._get(field.variable)

    def find_fallback(self, field: Field[Any]) -> RawSetting | None:
        """The value from a variable of another program, for a setting that no source of ours sets."""
        return next((found for name in field.fallbacks if (found := self._get(name))), None)

    def _get(self, name: str) -> RawSetting | None:
        text = self._variables.get(name, "")
        value = bare(text)
        return RawSetting(Origin("environment", name, name), Secret(value), padded=value != text) if value else None

    def names(self, prefix: str) -> Iterator[str]:
        """The names of all variables that are set and begin with `prefix`."""
        return (name for name in self._variables if name.startswith(prefix) and self._variables[name])


@masked_repr
class ZuliprcFile(NamedTuple):
    """The active file and its content.

    `path` is absolute, empty if no home directory is known. `document` is None if the file does not exist, which is
    allowed for the default file only. `named` says whether an argument or a variable named the file. `mode` and `owner`
    are the permission bits and the owner's ID, None if the system does not give them. `legacy` is the path of a
    `~/.humbugrc`, which is no longer read, empty if it does not matter.
    """

    path: str
    document: Document | None = None
    named: bool = False
    mode: int | None = None
    owner: int | None = None
    legacy: str = ""

    def find(self, field: Field[Any]) -> RawSetting | None:
        if self.document is None:
            return None
        entries = [entry for key in field.file_keys if (entry := self.document.get(key))]
        if not entries:
            return None
        rivals = [entry for entry in entries[1:] if entry.text != entries[0].text]
        return RawSetting(self._origin(entries[0]), entries[0].text, self._origin(rivals[0]) if rivals else None)

    def _origin(self, entry: DocumentEntry) -> Origin:
        return Origin("file", f"{self.path}:{entry.line}", entry.key, self.path, entry.line)


class Sources(NamedTuple):
    """All sources of settings. The resolver says which takes precedence."""

    arguments: Arguments
    environment: Environment
    file: ZuliprcFile

    def of(self, origin: Origin) -> Source:
        """The source of a value with this origin."""
        if origin.kind == "argument":
            return self.arguments
        return self.environment if origin.kind == "environment" else self.file


def _argument_text(name: str, value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, bool) and name == INSECURE.argument:
        value = "true" if value else "false"
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return Secret(value)
    raise ResolutionError(
        "usage", f"It must be text, not {type(value).__name__}", place=f"argument {name}", hint="Give it as a str"
    )
