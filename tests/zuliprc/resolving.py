"""Resolves credentials from texts, without files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from keybearer.secret import Secret
from keybearer.zuliprc.document import Document
from keybearer.zuliprc.resolver import PasswordCommand, Resolution, resolve_sources
from keybearer.zuliprc.sources import Arguments, Environment, Sources, ZuliprcFile
from keybearer.zuliprc.values import Surroundings

PATH = "/home/me/.zuliprc"
GOOD = "[api]\nemail=a@x.org\nkey=k1\nsite=https://z.x\n"


def no_command(command: PasswordCommand) -> Secret:
    raise AssertionError("the command was run")


def resolve_text(
    text: str | None = GOOD,
    *,
    environ: Mapping[str, str] | None = None,
    named: bool = False,
    mode: int | None = 0o600,
    legacy: str = "",
    fetch_key: Callable[[PasswordCommand], Secret] = no_command,
    **arguments: object,
) -> Resolution:
    """Resolve these arguments, variables and text of the file; None for a missing file."""
    document = None if text is None else Document.parse(text, PATH)
    sources = Sources(
        Arguments(arguments),
        Environment(environ or {}),
        ZuliprcFile(PATH, document, named=named, mode=mode, owner=0, legacy=legacy),
    )
    return resolve_sources(sources, Surroundings("/home/me", "/here"), fetch_key=fetch_key)


def warned(resolution: Resolution) -> list[str]:
    """The kinds of the warnings."""
    return [warning.kind for warning in resolution.warnings]
