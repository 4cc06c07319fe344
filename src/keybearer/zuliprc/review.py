"""Problems of the settings as a whole: warnings, errors about missing ones, and suggestions for misspelt ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from keybearer.api_key import is_well_formed
from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.zuliprc import literal
from keybearer.zuliprc.credentials import TLSOptions, is_plain_http, normalise_site, same_site
from keybearer.zuliprc.document import Document
from keybearer.zuliprc.fields import (
    BY_FILE_KEY,
    EMAIL,
    FIELDS,
    INSECURE,
    KEY,
    LOCATORS,
    SECTION,
    SITE,
    TOKEN,
    Field,
    Locator,
)
from keybearer.zuliprc.kinds import ResolutionWarning
from keybearer.zuliprc.sources import Origin, Source, Sources

_UNPORTABLE = '%#;="\\'
"""Characters that some program that reads zuliprc cuts off, unescapes or rejects."""

_KNOWN: list[Field[Any] | Locator] = [*FIELDS.values(), *LOCATORS]
_VARIABLES = {name: known.variable for known in _KNOWN for name in (*known.mistaken, known.variable) if known.variable}
"""Every known variable, correct or mistaken, with the correct one."""

_BY_OTHER_NAME = {
    name.lower().removeprefix("zulip_"): field
    for field in FIELDS.values()
    for name in (field.argument, field.variable, *field.mistaken)
    if name
}
"""The settings, by their names outside files, right or mistaken, without `ZULIP_`."""


def review(
    sources: Sources,
    origins: Mapping[str, Origin],
    shadowed: Mapping[str, tuple[Origin, ...]],
    *,
    email: str,
    key: Secret | None,
    site: str | None,
    tls: TLSOptions,
    padded: Sequence[Origin] = (),
) -> Iterator[ResolutionWarning]:
    """Every warning about these credentials, the most serious first. `key` is None if it is still to be fetched."""
    yield from _about_site(sources, origins, site)
    yield from _about_identity(origins)
    if tls.insecure:
        yield ResolutionWarning("insecure", "The server's certificate is not checked", str(origins[INSECURE.name]))
    yield from _about_permissions(sources)
    yield from _about_shadows(sources, shadowed)
    yield from _about_shapes(origins, email, key)
    for origin in padded:
        yield ResolutionWarning(
            "padded_value", "The value has white space or a line end around it, which is ignored", str(origin)
        )
    yield from _about_unknown_settings(sources.file.document)
    yield from _about_unknown_variables(sources)


def swapped_identity(email: str, key: Secret, origins: Mapping[str, Origin]) -> ResolutionError | None:
    """The error for an email and a key that are swapped; None if they are not."""
    if "@" not in key.reveal() or not is_well_formed(email):
        return None
    of_email, of_key = origins[EMAIL.name], origins[KEY.name]
    hint = "Swap them" + ("; `keybearer doctor --fix` does that" if of_email.kind == of_key.kind == "file" else "")
    return ResolutionError(
        "swapped_identity",
        f"The email and the key are swapped: the email is a key, and the key ({of_key}) is an email",
        place=str(of_email),
        hint=hint,
    )


def incomplete(sources: Sources, missing: Field[Any], *, found_other: bool) -> ResolutionError:
    """The error for a missing key or email. It depends on what else was found."""
    from keybearer.zuliprc.lookalikes import recognize  # noqa: PLC0415 - only for a file that is no zuliprc

    file = sources.file
    found = recognize(file.document.text()) if file.document is not None else None
    if file.document is not None and not file.document.has_section:
        return ResolutionError(
            "missing_section",
            f"This is {found.what}, not a zuliprc" if found else f"The file has no section [{SECTION}]",
            place=file.path,
            hint=found.hint if found else likely_section(file.document) or f"Put [{SECTION}] above its settings",
        )
    if file.document is not None:
        likely = likely_line(file.document, missing)
        empty = file.document.entries.get(missing.name)
        if found is not None:
            hint = f"This is {found.what}. {found.hint}"
        elif empty is not None:
            hint = f"Fill in line {empty.line}"
        else:
            hint = f"Did you mean {missing.name} in line {likely}?" if likely else f"Add a line {missing.name}=..."
        return ResolutionError(
            f"missing_{missing.name}",
            f"The file has no {missing.name}, and {missing.variable} is not set",
            place=file.path,
            hint=hint,
        )
    if file.legacy:
        return ResolutionError(
            "legacy_file",
            "This was the name of the zuliprc before 2013; no program reads it now",
            place=file.legacy,
            hint=f"Rename it to {file.path}",
        )
    if found_other:
        return ResolutionError(
            f"missing_{missing.name}",
            f"There is no {missing.name}: {missing.variable} is not set, and there is no {file.path or 'zuliprc'}",
            hint=f"Set {missing.variable}, or name a zuliprc",
        )
    return ResolutionError(
        "config_not_found",
        f"There is no such file, and {KEY.variable} and {EMAIL.variable} are not set",
        place=file.path or "~/.zuliprc",
        hint="Run `keybearer login`, or download a zuliprc from your organization and run `keybearer install`",
    )


def likely_section(document: Document) -> str:
    """A hint about a section that was probably meant to be `[api]`, empty if there is none."""
    for section, line in document.sections.items():
        if section.strip().lower() == SECTION:
            return f"Write line {line} as [{SECTION}]: lower case, no spaces"
    line = document.account_section()
    return f"The account is in another section: write line {line} as [{SECTION}]" if line else ""


def likely_line(document: Document, wanted: Field[Any]) -> int:
    """The line of a setting that was probably meant to be `wanted`, 0 if there is none."""
    return next((e.line for e in document.entries.values() if likely_field(e.key) is wanted), 0)


def likely_field(key: str) -> Field[Any] | None:
    """The setting that an unknown key of a file was probably meant to be."""
    if key in BY_FILE_KEY or not key:
        return None
    plain = key.replace("-", "_").replace(" ", "_")
    exact = BY_FILE_KEY.get(plain) or _BY_OTHER_NAME.get(plain.removeprefix("zulip_"))
    return exact or BY_FILE_KEY.get(_most_similar(plain[:40], BY_FILE_KEY, 0.75))


def _about_site(sources: Sources, origins: Mapping[str, Origin], site: str | None) -> Iterator[ResolutionWarning]:
    if site is None:
        return
    of_site, of_key = origins[SITE.name], origins[KEY.name]
    if of_site.source != of_key.source and _names_another_site(sources.of(of_key), site):
        yield ResolutionWarning(
            "credential_sent_to_other_site",
            f"The source of the key names another site than {site}, where the key will be sent",
            str(of_site),
        )
    if is_plain_http(site):
        yield ResolutionWarning(
            "plain_http", f"Everybody on the network path to {site} can read the key; use https", str(of_site)
        )


def _names_another_site(source: Source, site: str) -> bool:
    found = source.find(SITE)
    if found is None:
        return False
    try:
        return not same_site(normalise_site(found.text.reveal()), site)
    except ResolutionError:
        return True


def _about_identity(origins: Mapping[str, Origin]) -> Iterator[ResolutionWarning]:
    key, email = origins[KEY.name], origins[EMAIL.name]
    if key.source != email.source:
        yield ResolutionWarning("mixed_identity", f"The key is from {key}, the email is from {email}")


def _about_permissions(sources: Sources) -> Iterator[ResolutionWarning]:
    file = sources.file
    if file.document is None or file.mode is None:
        return
    remedy = f"run: chmod 600 {file.path}"
    if file.mode & 0o044 and any(file.document.get(key) for key in (KEY.name, TOKEN.name)):
        yield ResolutionWarning("readable_by_others", f"Other accounts can read this file; {remedy}", file.path)
    if file.mode & 0o022:
        yield ResolutionWarning("writable_by_others", f"Other accounts can change this file; {remedy}", file.path)


def _about_shadows(sources: Sources, shadowed: Mapping[str, tuple[Origin, ...]]) -> Iterator[ResolutionWarning]:
    """A person who names a file expects its settings to be used."""
    if not sources.file.named:
        return
    names = [
        found.origin.place
        for name in shadowed
        if (found := sources.environment.find(FIELDS[name])) and shadowed[name][-1].kind == "file"
    ]
    if names:
        yield ResolutionWarning(
            "shadows_named_file",
            f"The environment overrides settings of this file: {', '.join(names)}",
            sources.file.path,
        )


def _about_shapes(origins: Mapping[str, Origin], email: str, key: Secret | None) -> Iterator[ResolutionWarning]:
    for name, empty in ((KEY.name, key is not None and not key), (EMAIL.name, not email)):
        if empty:
            yield ResolutionWarning("empty_argument", f"The {name} is empty; no server accepts it", str(origins[name]))
    if key and not (key.reveal().isascii() and key.reveal().isalnum()):
        yield ResolutionWarning(
            "odd_key_shape", "The key has characters other than letters and digits", str(origins[KEY.name])
        )
    if hidden := literal.invisible_characters(email):
        yield ResolutionWarning(
            "invisible_character",
            f"The email has an invisible character ({', '.join(hidden)}), so no server knows it",
            str(origins[EMAIL.name]),
        )
    elif email.startswith("<") and email.endswith(">"):
        yield ResolutionWarning(
            "invisible_character",
            "The email has angle brackets around it, so no server knows it",
            str(origins[EMAIL.name]),
        )
    if email and ("@" not in email or ":" in email or any(character.isspace() for character in email)):
        yield ResolutionWarning(
            "odd_email_shape", "The email has no @, or has a colon or a space", str(origins[EMAIL.name])
        )
    if origins[EMAIL.name].kind == "file" and any(character in _UNPORTABLE for character in email):
        yield ResolutionWarning(
            "unportable_value",
            "The email has a character that programs read in different ways",
            str(origins[EMAIL.name]),
        )


def _about_unknown_settings(document: Document | None) -> Iterator[ResolutionWarning]:
    """Only the line is named, since the name may be an API key without `key=`."""
    if document is None:
        return
    for entry in document.entries.values():
        if entry.key not in BY_FILE_KEY:
            likely = likely_field(entry.key)
            advice = f"did you mean {likely.name}?" if likely else f"nothing reads it in [{SECTION}]"
            yield ResolutionWarning("unknown_setting", f"This setting is unknown; {advice}", document.place(entry.line))


def _about_unknown_variables(sources: Sources) -> Iterator[ResolutionWarning]:
    """Only variables similar to ours are reported, since other programs have their own."""
    names = sorted(sources.environment.names("ZULIP"))
    for name in names:
        meant = likely_variable(name)
        if meant and meant not in names:
            yield ResolutionWarning("unknown_setting", f"This variable is unknown; did you mean {meant}?", name)


def likely_variable(name: str) -> str:
    """The variable that `name` was probably meant to be, empty if it is known or similar to none."""
    if name not in _VARIABLES:
        return _VARIABLES.get(_most_similar(name, _VARIABLES, 0.88), "")
    return _VARIABLES[name] if _VARIABLES[name] != name else ""


def _most_similar(name: str, known: Iterable[str], cutoff: float) -> str:
    """The known name that is most similar, empty if none is as similar as `cutoff`."""
    from difflib import get_close_matches  # noqa: PLC0415 - only slips need it

    return next(iter(get_close_matches(name, known, n=1, cutoff=cutoff)), "")
