"""zuliprc files: read as credentials, written whole, and given a new key in place."""

from __future__ import annotations

import os
from pathlib import Path

from keybearer.errors import FileError, ResolutionError
from keybearer.secret import Secret
from keybearer.store.atomic import atomic_write, exclusive, write_exclusive
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
    """The credentials of one file, and of nothing else: no variable takes part. A `passcmd` in it is run.

    Raises ResolutionError, as `resolve()` does for the file.
    """
    location = Location(expand(path, os.environ), named_by="path")
    return resolve_location(location, Arguments({}), Environment({}), os.environ).credentials


@without_inner_frames
def write_zuliprc(path: str | os.PathLike[str], credentials: Credentials) -> None:
    """Make the file at `path` say these credentials; mode 0600, whole or not at all (see `atomic_write`).

    A new file has the text of `render_zuliprc`, and so has one that held nothing but settings or no zuliprc at all.
    Where there are comments, unknown settings or other sections, they stay, and only the lines of settings change.
    Raises UnsafeValueError, FileError, and ResolutionError for a site that is no address.
    """
    put_document(path, Document(render_zuliprc(credentials)))


def put_document(path: str | os.PathLike[str], document: Document) -> None:
    """As `write_zuliprc`, for a document: where nothing has to stay, the file gets its text, comments and all."""
    with exclusive(expand(path, os.environ)) as file:
        old = _parsed(file)
        kept = old if old is not None and old.has_more_than_settings else document.with_plain_line_ends()
        write_exclusive(file, kept.with_settings(document.settings()).to_bytes())


@without_inner_frames
def replace_api_key(path: str | os.PathLike[str], *, email: str, old: Secret, new: Secret) -> None:
    """Put the key `new` in the place of `old` in the file; nothing else in it changes, its mode included.

    It is done under the lock of all our writers. Raises FileError where the file does not have just this email and
    key in lines of its own (a file that has `new` already is left as it is), and ResolutionError where it is broken.
    """
    target = expand(path, os.environ)
    with exclusive(target) as file:
        document = Document.parse(load(file).data, str(target))
        entry = document.get(KEY.name)
        if entry is None:
            raise FileError(f"{target} has no key of its own", hint="Nothing was changed")
        if _value(document, EMAIL.name) != Secret(email):
            raise FileError(f"{target} is not the zuliprc of {email} any more", hint="Nothing was changed")
        if _value(document, KEY.name) == new:
            return
        if _value(document, KEY.name) != old:
            raise FileError(f"{target} has another key than the one to be replaced", hint="Nothing was changed")
        write_exclusive(file, document.with_value(KEY.name, new.reveal()).to_bytes(), keep_mode=True)


def replace_text(path: str | os.PathLike[str], old: bytes, new: bytes) -> None:
    """Put the text `new` in the place of `old`, and make the mode 0600 or less: what `atomic_write` does.

    Raises FileError where the file does not say `old` any more, and ResolutionError where it cannot be read.
    """
    target = expand(path, os.environ)
    with exclusive(target) as file:
        if load(file).data != old:
            raise FileError(f"{target} has just been changed by somebody else", hint="Nothing was changed; try again")
        write_exclusive(file, new)


def _value(document: Document, key: str) -> Secret | None:
    entry = document.get(key)
    return None if entry is None else Secret(unescape(entry.text.reveal()))


def _parsed(path: Path) -> Document | None:
    """The zuliprc that is there, None where there is none or what is there is none."""
    try:
        return Document.parse(load(path).data)
    except ResolutionError:
        return None
