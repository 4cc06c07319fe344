"""Reads and writes zuliprc files, and replaces the key in one."""

from __future__ import annotations

import os
from pathlib import Path

from keybearer.errors import FileError, InvalidArgument, ResolutionError
from keybearer.secret import Secret
from keybearer.store.atomic import atomic_write, exclusive, overwrite, write_exclusive
from keybearer.store.home import expand
from keybearer.store.loading import load
from keybearer.store.location import Location
from keybearer.store.resolution import resolve_location
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.document import Document, render_zuliprc
from keybearer.zuliprc.fields import EMAIL, KEY
from keybearer.zuliprc.frames import without_inner_frames
from keybearer.zuliprc.literal import unescape
from keybearer.zuliprc.sources import Arguments, Environment

__all__ = ["atomic_write", "load", "read_zuliprc", "replace_api_key", "replace_text", "write_zuliprc"]


@without_inner_frames
def read_zuliprc(path: str | os.PathLike[str]) -> Credentials:
    """The credentials of one file alone, without environment variables. A `passcmd` in it is run.

    Raises ResolutionError, as `resolve()` does for the file.
    """
    location = Location(expand(path, os.environ), named_by="path")
    return resolve_location(location, Arguments({}), Environment({}), os.environ).credentials


@without_inner_frames
def write_zuliprc(path: str | os.PathLike[str], credentials: Credentials) -> None:
    """Write these credentials into the file at `path`, with mode 0600, completely or not at all.

    A new file gets the text of `render_zuliprc`. So does a file that contained only settings, or was not a zuliprc.
    Comments, unknown settings and other sections stay, and only the lines of settings change.
    Raises UnsafeValueError, FileError, ResolutionError for an invalid site, and InvalidArgument for credentials without
    an email or a key: the file may have good ones.
    """
    given: object = credentials
    if not isinstance(given, Credentials):
        raise InvalidArgument(f"Only Credentials are written into a zuliprc, not {type(given).__name__}")
    if not credentials.email or not credentials.api_key:
        raise InvalidArgument(
            f"The credentials for {path} have no email or no API key", hint="Nothing was changed; both are needed"
        )
    put_document(path, Document(render_zuliprc(credentials)))


def put_document(path: str | os.PathLike[str], document: Document) -> None:
    """Like `write_zuliprc`, for a document. If nothing has to be kept, the file gets the document's whole text."""
    with exclusive(expand(path, os.environ)) as file:
        old = _parsed(file)
        kept = old if old is not None and old.has_more_than_settings else document.with_plain_line_ends()
        write_exclusive(file, kept.with_settings(document.settings()).to_bytes())


@without_inner_frames
def replace_api_key(path: str | os.PathLike[str], *, email: str, old: Secret, new: Secret) -> None:
    """Replace the key `old` in the file with `new`. Nothing else in the file changes, and neither does its mode.

    A file that cannot be replaced, such as one with several names, is overwritten if both keys have the same length.

    Our other writers wait meanwhile. Raises FileError unless the file has this email and key in its own lines (a
    file that already has `new` is left as it is), and ResolutionError for a broken file.
    """
    target = expand(path, os.environ)
    with exclusive(target) as file:
        document = Document.parse(load(file).data, str(target))
        entry = document.get(KEY.name)
        if entry is None:
            raise FileError(f"{target} has no key of its own", hint="Nothing was changed")
        if _value(document, EMAIL.name) != Secret(email):
            raise FileError(f"{target} is no longer the zuliprc of {email}", hint="Nothing was changed")
        if _value(document, KEY.name) == new:
            return
        if _value(document, KEY.name) != old:
            raise FileError(f"{target} has another key than the one to be replaced", hint="Nothing was changed")
        data = document.with_value(KEY.name, new.reveal()).to_bytes()
        try:
            write_exclusive(file, data, keep_mode=True)
        except (FileError, OSError):
            overwrite(file, data)


def replace_text(path: str | os.PathLike[str], old: bytes, new: bytes) -> None:
    """Replace the file's text `old` with `new`, and make its mode 0600 or less, as `atomic_write` does.

    Raises FileError if the file no longer has the text `old`, and ResolutionError if it cannot be read.
    """
    target = expand(path, os.environ)
    with exclusive(target) as file:
        if load(file).data != old:
            raise FileError(f"{target} was just changed by another program", hint="Nothing was changed; try again")
        write_exclusive(file, new)


def _value(document: Document, key: str) -> Secret | None:
    entry = document.get(key)
    return None if entry is None else Secret(unescape(entry.text.reveal()))


def _parsed(path: Path) -> Document | None:
    """The zuliprc at this path; None if there is no file or it is not a zuliprc."""
    try:
        return Document.parse(load(path).data)
    except ResolutionError:
        return None
