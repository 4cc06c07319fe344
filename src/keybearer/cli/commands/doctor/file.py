"""The active file: whether it is there, whose it is, who else may read it, and what is wrong with its text."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keybearer.cli.commands.doctor.draft import ZuliprcDraft
from keybearer.cli.commands.doctor.findings import Finding, of_error
from keybearer.cli.commands.doctor.readers import check_readers
from keybearer.cli.commands.doctor.settings import fix_settings, lines_of
from keybearer.cli.commands.doctor.text import fix_structure, read
from keybearer.errors import ResolutionError
from keybearer.store.files import replace_text
from keybearer.store.home import home_directory
from keybearer.store.key_replacement import interrupted
from keybearer.store.loading import LoadedFile, load
from keybearer.store.location import Location
from keybearer.store.resolution import open_location
from keybearer.zuliprc.fields import KEY, TOKEN
from keybearer.zuliprc.sources import ZuliprcFile
from keybearer.zuliprc.values import Surroundings

if sys.platform != "win32":
    import pwd

_OTHERS_READ, _OTHERS_WRITE, _OTHERS_RUN = 0o044, 0o022, 0o011
_PRIVATE = "the mode is set to 600"


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """The findings about the active file.

    `fixed` is the file as a source of settings, its text fixed as far as possible; None if there is no text.
    `data` is its real content, None if there is none; `draft` is the fixed text, None if there is no text.
    """

    location: Location
    findings: tuple[Finding, ...]
    fixed: ZuliprcFile | None = None
    data: bytes | None = field(default=None, repr=False)
    draft: ZuliprcDraft | None = None

    @property
    def repairs(self) -> list[Finding]:
        """The findings that `fix` removes."""
        return [finding for finding in self.findings if finding.fix]

    def fix(self) -> None:
        """Write the fixed text into the file, completely or not at all, with mode 0600. Raises FileError."""
        assert self.location.path is not None
        assert self.data is not None
        only_mode = {finding.fix for finding in self.repairs} <= {_PRIVATE}
        text = self.data if self.draft is None or only_mode else self.draft.text().encode()
        replace_text(self.location.path, self.data, text)


def check_file(location: Location, environ: Mapping[str, str]) -> CheckedFile:
    """Check the file that `locate` has found."""
    path = location.path
    if path is None:
        return CheckedFile(location, (), ZuliprcFile(""))
    try:
        loaded = load(path)
    except ResolutionError:
        return _without_text(location)
    draft, findings = read(loaded.data, str(path))
    if draft is not None:
        draft, told = _fixed(draft, Surroundings(home_directory(environ), str(path.parent)))
        findings += lines_of([*told, *check_readers(draft)])
    findings = [*_about_access(path, loaded, draft), *findings]
    if not _is_ours_to_fix(path, loaded):
        findings = [dataclasses.replace(finding, fix="") for finding in findings]
    if draft is None:
        return CheckedFile(location, tuple(findings), data=loaded.data)
    fixed = ZuliprcFile(
        str(path), draft.document(), named=bool(location.named_by), mode=loaded.mode, owner=loaded.owner
    )
    return CheckedFile(location, tuple(findings), fixed, loaded.data, draft)


def _fixed(draft: ZuliprcDraft, paths: Surroundings) -> tuple[ZuliprcDraft, list[Finding]]:
    """The draft with everything fixed that can be. Two values may become equal once their quotes are removed, so the
    lines are checked again until nothing changes.
    """
    told: dict[tuple[str, str, str], Finding] = {}
    while True:
        structured, structural = fix_structure(draft)
        fixed, single = fix_settings(structured, paths)
        for finding in (*structural, *single):
            name = (finding.kind, finding.place, finding.message)
            if name not in told or finding.fix:
                told[name] = finding
        if fixed == draft:
            return fixed, list(told.values())
        draft = fixed


def _without_text(location: Location) -> CheckedFile:
    """Why there is no text to read. For the default file, that alone is not a fault."""
    try:
        absent = open_location(location)
    except ResolutionError as error:
        return CheckedFile(location, (of_error(error),))
    findings = []
    if absent.legacy:
        findings.append(
            Finding(
                "old_file",
                f"With this file and without {absent.path}, Zulip's Python bindings do not start",
                absent.legacy,
                f"It is a zuliprc from before 2013: rename it to {absent.path}, or remove it",
            )
        )
    return CheckedFile(location, tuple(findings), absent)


def _about_access(path: Path, loaded: LoadedFile, draft: ZuliprcDraft | None) -> Iterator[Finding]:
    place, mode = str(path), loaded.mode
    if mode is not None:
        holds_secret = draft is None or any(draft.document().get(key) for key in (KEY.name, TOKEN.name))
        if mode & _OTHERS_READ and holds_secret:
            message = f"Other accounts of this machine can read the file (mode {mode:03o}), which has the key in it"
            yield Finding("readable_by_others", message, place, f"Run: chmod 600 {path}", _PRIVATE)
        if mode & _OTHERS_WRITE:
            message = f"Other accounts of this machine can change the file (mode {mode:03o}) and where the key is sent"
            yield Finding("writable_by_others", message, place, f"Run: chmod 600 {path}", _PRIVATE)
        if mode & _OTHERS_RUN and not mode & (_OTHERS_READ | _OTHERS_WRITE):
            message = f"zulip-terminal refuses a file with any permission for others, even execute (mode {mode:03o})"
            yield Finding("permission_for_others", message, place, f"Run: chmod 600 {path}", _PRIVATE)
        if not mode & (_OTHERS_READ | _OTHERS_WRITE) and _is_ours(loaded):
            yield Finding("file_read", f"Only you can read the file (mode {mode:03o})", place)
    if not _is_ours(loaded) and loaded.owner != 0:
        yield Finding(
            "not_ours",
            f"The file belongs to another account, {_name_of(loaded.owner)}, which can change where the key is sent",
            place,
            f"Run: sudo chown $USER {path}",
        )
    left = interrupted(path)
    if left is not None:
        where = f"the new one is in {left.path}" if left.has_key else f"{left.path} has a note about it"
        yield Finding(
            "interrupted_change",
            f"A replacement of the key was interrupted, so the key in this file may no longer work: {where}",
            place,
            f"Run: mv {left.path} {path}" if left.has_key else f"Get a new zuliprc, then remove {left.path}",
        )


def _is_ours(loaded: LoadedFile) -> bool:
    return sys.platform == "win32" or loaded.owner is None or loaded.owner == os.geteuid()


def _is_ours_to_fix(path: Path, loaded: LoadedFile) -> bool:
    """Whether the file can be replaced. A pipe and a file of another user cannot."""
    return path.is_file() and (_is_ours(loaded) or os.geteuid() == 0)


def _name_of(owner: int | None) -> str:
    try:
        return pwd.getpwuid(owner or 0).pw_name
    except KeyError:  # an account from another machine
        return f"number {owner}"
