"""Findings of the doctor, each with its remedy."""

from __future__ import annotations

from dataclasses import dataclass

from keybearer.cli.commands.doctor.kinds import KINDS, REMEDIES, Severity
from keybearer.errors import KeybearerError, ResolutionError


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check, good or bad. Its kind is one of KINDS.

    `place` is a path with or without its line, a variable, an argument or a site. `remedy` says what to do, and
    `fix` what `--fix` does about it; each may be empty. No text has a key in it.
    """

    kind: str
    message: str
    place: str = ""
    remedy: str = ""
    fix: str = ""

    @property
    def severity(self) -> Severity:
        """Its severity."""
        return KINDS[self.kind].severity


def of_error(error: KeybearerError, kind: str = "", place: str = "", fix: str = "") -> Finding:
    """An error as a finding. A ResolutionError has its own kind and place."""
    if isinstance(error, ResolutionError):
        kind, place = kind or error.kind, error.place
    return Finding(kind, error.message, place, error.hint or REMEDIES.get(kind, ""), fix)
