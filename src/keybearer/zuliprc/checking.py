"""Checks settings one by one: collects the valid values and every fault, where resolving stops at the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.zuliprc import values
from keybearer.zuliprc.document import key_without_cert
from keybearer.zuliprc.fields import CLIENT_BUNDLE, CLIENT_CERT, CLIENT_CERT_KEY, EMAIL, FIELDS, KEY, PASSCMD
from keybearer.zuliprc.resolver import SettingsReader
from keybearer.zuliprc.review import incomplete, swapped_identity
from keybearer.zuliprc.sources import Origin, Sources


@dataclass(frozen=True, slots=True)
class CheckedSettings:
    """The values of the valid settings, the origins of all (as in Resolution), and the faults of the others."""

    values: Mapping[str, object] = field(repr=False)
    origins: Mapping[str, Origin]
    faults: tuple[ResolutionError, ...]


def check_sources(sources: Sources, here: values.Surroundings) -> CheckedSettings:
    """As `resolve_sources`, but return every fault instead of raising the first."""
    settings = SettingsReader(sources, here)
    faults: list[ResolutionError] = []
    absent: set[str] = set()

    def attempt(name: str, take: Callable[[], object]) -> None:
        try:
            if take() is None:
                absent.add(name)
        except ResolutionError as error:
            faults.append(error)

    attempt(KEY.name, lambda: settings.take_key(lambda command: command.text))
    for wanted in FIELDS.values():
        if wanted not in {KEY, PASSCMD, CLIENT_BUNDLE}:
            attempt(wanted.name, partial(settings.take, wanted))
    attempt(CLIENT_BUNDLE.name, settings.take_bundle)  # after insecure, on which it depends
    email, key = settings.values.get(EMAIL.name), settings.values.get(KEY.name)
    if isinstance(email, str) and isinstance(key, Secret):
        swapped = swapped_identity(email, key, settings.origins)
        faults += [swapped] if swapped else []
    needed = [wanted for wanted in (KEY, EMAIL) if wanted.name in absent]
    if needed:
        faults.append(incomplete(sources, needed[0], found_other=len(needed) == 1))
    if CLIENT_CERT_KEY.name in settings.values and CLIENT_CERT.name in absent:
        faults.append(key_without_cert(str(settings.origins[CLIENT_CERT_KEY.name])))
    return CheckedSettings(settings.values, settings.origins, tuple(faults))
