"""`resolve()`: finds the active credentials on this machine."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.store.home import surroundings
from keybearer.store.loading import load
from keybearer.store.location import LEGACY_NAME, Location, locate
from keybearer.zuliprc.credentials import TLSOptions
from keybearer.zuliprc.document import Document
from keybearer.zuliprc.fields import CLIENT_BUNDLE, CLIENT_CERT, CLIENT_CERT_KEY, CONFIG_FILE, PASSCMD, PROFILE
from keybearer.zuliprc.frames import without_inner_frames
from keybearer.zuliprc.resolver import PasswordCommand, Resolution, resolve_sources
from keybearer.zuliprc.sources import Arguments, Environment, Origin, Sources, ZuliprcFile


@without_inner_frames
def resolve(
    config_file: str | os.PathLike[str] | None = None,
    *,
    email: str | None = None,
    api_key: str | Secret | None = None,
    site: str | None = None,
    client_cert: str | os.PathLike[str] | None = None,
    client_cert_key: str | os.PathLike[str] | None = None,
    cert_bundle: str | os.PathLike[str] | None = None,
    insecure: bool | str | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    strict: bool = False,
) -> Resolution:
    """Find the active credentials. For each setting, the order is: argument, environment, file.

    The file is `config_file`, else that of `profile`, else of ZULIP_CONFIG, else of ZULIP_PROFILE, else `~/.zuliprc`;
    all but the last must exist. `environ` replaces `os.environ`. No connection is opened and no `passcmd`
    is run. With `strict`, the first warning is raised as an error of its kind.

    Raises ResolutionError. The reference of zuliprc lists its kinds.
    """
    arguments = Arguments(
        {
            "email": email,
            "api_key": api_key,
            "site": site,
            "client_cert": client_cert,
            "client_cert_key": client_cert_key,
            "cert_bundle": cert_bundle,
            "insecure": insecure,
            CONFIG_FILE.argument: config_file,
            PROFILE.argument: profile,
        }
    )
    environ = os.environ if environ is None else environ
    location = locate(arguments.get(CONFIG_FILE.argument), arguments.get(PROFILE.argument), environ)
    resolution = resolve_location(location, arguments, Environment(environ), environ)
    if strict and resolution.warnings:
        first = resolution.warnings[0]
        raise ResolutionError(first.kind, first.message, place=first.place, hint="With `strict`, a warning is an error")
    return resolution


def open_location(location: Location) -> ZuliprcFile:
    """Read the file as a source of settings. Only the default file may be missing. Raises ResolutionError."""
    if location.path is None:
        return ZuliprcFile("")
    path = str(location.path)
    try:
        loaded = load(location.path)
    except ResolutionError as error:
        if error.kind == "config_not_found" and not location.named_by:
            legacy = location.path.with_name(LEGACY_NAME)
            return ZuliprcFile(path, legacy=str(legacy) if _exists(legacy) else "")
        if error.kind == "config_not_found" and location.profile:
            error.kind = "profile_not_found"
            error.message = f"There is no profile {location.profile}"
            error.hint = "See `keybearer profiles` for the list"
        raise _naming_its_origin(error, location) from None
    document = Document.parse(loaded.data, path)
    return ZuliprcFile(path, document, named=bool(location.named_by), mode=loaded.mode, owner=loaded.owner)


def _naming_its_origin(error: ResolutionError, location: Location) -> ResolutionError:
    """The error about a file that cannot be read, with the argument or variable that named the file."""
    named_by = location.named_by
    if _TEXT_OF_ZULIPRC.search(str(location.path)):
        return ResolutionError(
            error.kind,
            "This is the text of a zuliprc, not the path of one",
            place=named_by if named_by.isupper() else f"argument {named_by}",
            hint="Give the path of the file",
        )
    if named_by.isupper():
        error.message = f"{error.message} (the variable {named_by} names it)"
        error.hint = f"Correct {named_by}, or unset it"
    return error


_TEXT_OF_ZULIPRC = re.compile(r"\[api\]|(?:\A|\s|/)(?:key|email|site)\s*=")


def resolve_location(
    location: Location, arguments: Arguments, environment: Environment, environ: Mapping[str, str]
) -> Resolution:
    """As `resolve`, for a file that has been located.

    `environment` is searched for settings. `environ` gives the home directory, and a `passcmd` runs with it.
    """
    return resolve_file(open_location(location), arguments, environment, environ)


def resolve_file(
    file: ZuliprcFile, arguments: Arguments, environment: Environment, environ: Mapping[str, str]
) -> Resolution:
    """As `resolve_location`, for a file that `open_location` has read."""
    resolution = resolve_sources(
        Sources(arguments, environment, file), surroundings(environ), fetch_key=partial(_fetch_key, environ)
    )
    command = resolution.origins[PASSCMD.name]
    if command.kind == "file":
        _require_trustworthy(file, str(command))
    for missing in missing_tls_files(resolution.tls, resolution.origins):
        raise missing
    return resolution


def _fetch_key(environ: Mapping[str, str], command: PasswordCommand) -> Secret:
    from keybearer.store import passcmd  # noqa: PLC0415 - subprocess is slow to import, and few files need it

    return passcmd.fetch_key(command, environ)


def _require_trustworthy(file: ZuliprcFile, place: str) -> None:
    from keybearer.store import passcmd  # noqa: PLC0415 - as above

    passcmd.require_trustworthy(file, place)


def missing_tls_files(tls: TLSOptions, origins: Mapping[str, Origin]) -> Iterator[ResolutionError]:
    """An error for every certificate file that does not exist. Building the TLS context checks their content."""
    if tls.cert_bundle is not None and not tls.insecure and not _exists(Path(tls.cert_bundle)):
        yield _not_found("bundle_not_found", "The file or directory with certificates", origins[CLIENT_BUNDLE.name])
    if tls.client_cert is not None and not _exists(Path(tls.client_cert), directory=False):
        yield _not_found("cert_not_found", "The file with the client certificate", origins[CLIENT_CERT.name])
    if tls.client_cert_key is not None and not _exists(Path(tls.client_cert_key), directory=False):
        yield _not_found("cert_not_found", "The file with the client certificate's key", origins[CLIENT_CERT_KEY.name])


def _not_found(kind: str, what: str, origin: Origin) -> ResolutionError:
    start = "beside the zuliprc" if origin.kind == "file" else "in the working directory"
    return ResolutionError(
        kind,
        f"{what} that {origin.name} names does not exist",
        place=str(origin),
        hint=f"Check the path; a relative path starts {start}",
    )


def _exists(path: Path, *, directory: bool = True) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode) <= directory
    except (OSError, ValueError):
        return False
