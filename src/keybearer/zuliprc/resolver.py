"""Resolves sources to credentials: the value of each setting, its origin, and what it shadows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from threading import Lock
from typing import Any, NamedTuple, TypeVar, final

from keybearer.errors import ResolutionError
from keybearer.masking import masked_repr
from keybearer.secret import Secret
from keybearer.zuliprc import review, values
from keybearer.zuliprc.credentials import Credentials, TLSOptions
from keybearer.zuliprc.document import key_without_cert
from keybearer.zuliprc.fields import (
    CLIENT_BUNDLE,
    CLIENT_CERT,
    CLIENT_CERT_KEY,
    EMAIL,
    FIELDS,
    INSECURE,
    KEY,
    PASSCMD,
    SITE,
    TOKEN,
    Field,
)
from keybearer.zuliprc.frames import without_inner_frames
from keybearer.zuliprc.kinds import ResolutionWarning
from keybearer.zuliprc.literal import refuse_control_characters, refuse_suspicious, unescape
from keybearer.zuliprc.sources import DEFAULT, Origin, RawSetting, Source, Sources

T = TypeVar("T")

IDENTITY = (EMAIL.name, KEY.name, SITE.name)
"""The settings that make up an account's credentials."""


class PasswordCommand(NamedTuple):
    """The text of a `passcmd` and its origin."""

    text: Secret
    origin: Origin


@final
class KeyOnDemand:
    """An API key that is fetched when it is first needed, and then stored."""

    __slots__ = ("_fetch", "_key", "_lock")

    def __init__(self, fetch: Callable[[], Secret]) -> None:
        self._fetch = fetch
        self._key: Secret | None = None
        self._lock = Lock()

    def get(self) -> Secret:
        """The key. If fetching it raises an error, the next call tries again."""
        with self._lock:
            if self._key is None:
                self._key = self._fetch()
            return self._key


@masked_repr
@dataclass(frozen=True, slots=True)
class Resolution:
    """The active credentials and their origins.

    `origins` has the name of every setting. `values` has the settings that are set, without a key that is still to be
    fetched. `shadowed` has, for each setting that was found more than once, the origins that were not used, in order.
    `config_file` is the path of the file that was read, or None.

    Only `credentials` and `api_key` need the key. If a `passcmd` gives it, they run the command, once.
    """

    email: str
    site: str | None
    token: Secret | None
    tls: TLSOptions
    origins: Mapping[str, Origin]
    values: Mapping[str, object] = field(repr=False)
    shadowed: Mapping[str, tuple[Origin, ...]]
    warnings: tuple[ResolutionWarning, ...]
    config_file: str | None
    _key: Secret | KeyOnDemand = field(repr=False)

    @property
    def credentials(self) -> Credentials:
        """The credentials. Raises ResolutionError if a `passcmd` is active and prints no key."""
        return Credentials(self.email, self.api_key, self.site, self.token, self.tls)

    @property
    @without_inner_frames
    def api_key(self) -> Secret:
        """The key. Raises as `credentials` does."""
        return self._key if isinstance(self._key, Secret) else self._key.get()

    @property
    def own_file(self) -> str | None:
        """The path of the file that has email, key and site in its own lines; None if one of them is from elsewhere.

        A key from a `passcmd` is not in the file.
        """
        own = all(self.origins[name].name == name and self.origins[name].kind == "file" for name in IDENTITY)
        return self.config_file if own else None


def in_order_of_precedence(sources: Sources) -> tuple[Source, ...]:
    """Argument, then environment, then file, separately for each setting. Only this function states the order."""
    return sources.arguments, sources.environment, sources.file


def resolve_sources(
    sources: Sources, here: values.Surroundings, *, fetch_key: Callable[[PasswordCommand], Secret]
) -> Resolution:
    """Resolve every setting of FIELDS.

    Paths from arguments and variables are relative to `here`; those from a file are relative to its directory.
    `fetch_key` runs a `passcmd`. It is called when the key is needed.

    Raises ResolutionError. A value that is shadowed is not checked.
    """
    settings = SettingsReader(sources, here)
    key = settings.take_key(fetch_key)
    email = settings.take(EMAIL)
    if key is None or email is None:
        raise review.incomplete(
            sources, KEY if key is None else EMAIL, found_other=key is not None or email is not None
        )
    if isinstance(key, Secret) and (swapped := review.swapped_identity(email, key, settings.origins)):
        raise swapped
    site, token = settings.take(SITE), settings.take(TOKEN)
    tls = settings.take_tls()
    file = sources.file
    return Resolution(
        email=email,
        site=site,
        token=token,
        tls=tls,
        origins=settings.origins,
        values=settings.values,
        shadowed=settings.shadowed,
        warnings=tuple(
            review.review(
                sources,
                settings.origins,
                settings.shadowed,
                email=email,
                key=key if isinstance(key, Secret) else None,
                site=site,
                tls=tls,
                padded=settings.padded,
            )
        ),
        config_file=file.path if file.document is not None else None,
        _key=key,
    )


class SettingsReader:
    """Reads settings from the sources one by one, and records the origin of each."""

    def __init__(self, sources: Sources, here: values.Surroundings) -> None:
        self._sources = sources
        self._here = here
        self._beside_file = values.Surroundings(here.home, str(PurePath(sources.file.path).parent))
        self.origins: dict[str, Origin] = dict.fromkeys(FIELDS, DEFAULT)
        self.values: dict[str, object] = {}
        self.shadowed: dict[str, tuple[Origin, ...]] = {}
        self.padded: list[Origin] = []

    def take(self, wanted: Field[T]) -> T | None:
        found = self._first(wanted)
        return None if found is None else self._parse(wanted, found)

    def take_key(self, fetch_key: Callable[[PasswordCommand], Secret]) -> Secret | KeyOnDemand | None:
        """The key, from `key` or `passcmd`, which are two names of one setting. A file must not have both."""
        found, command = self._first(KEY), self._sources.file.find(PASSCMD)
        if command is None:
            return None if found is None else self._parse(KEY, found)
        if found is None:
            text = self._parse(PASSCMD, command)
            self.origins[KEY.name] = self.origins[PASSCMD.name] = command.origin
            return KeyOnDemand(lambda: fetch_key(PasswordCommand(text, command.origin)))
        if found.origin.kind == "file":
            raise _contradiction(found.origin, command.origin)
        self.shadowed[KEY.name] = (*self.shadowed.get(KEY.name, ()), command.origin)
        return self._parse(KEY, found)

    def take_tls(self) -> TLSOptions:
        insecure, bundle = self.take(INSECURE) or False, self.take_bundle()
        client_cert, client_cert_key = self.take(CLIENT_CERT), self.take(CLIENT_CERT_KEY)
        if client_cert_key is not None and client_cert is None:
            raise key_without_cert(str(self.origins[CLIENT_CERT_KEY.name]))
        return TLSOptions(client_cert, client_cert_key, bundle, insecure)

    def take_bundle(self) -> str | None:
        """The bundle. If no setting says what to trust, a variable of another program may name it."""
        bundle = self.take(CLIENT_BUNDLE)
        fallback = self._sources.environment.find_fallback(CLIENT_BUNDLE)
        if bundle is None and fallback is not None and not self.values.get(INSECURE.name):
            self.origins[CLIENT_BUNDLE.name] = fallback.origin
            bundle = self._parse(CLIENT_BUNDLE, fallback)
        return bundle

    def _first(self, wanted: Field[Any]) -> RawSetting | None:
        founds = [found for source in in_order_of_precedence(self._sources) if (found := source.find(wanted))]
        if not founds:
            return None
        self.origins[wanted.name] = founds[0].origin
        if len(founds) > 1:
            self.shadowed[wanted.name] = tuple(found.origin for found in founds[1:])
        return founds[0]

    def _parse(self, wanted: Field[T], found: RawSetting) -> T:
        if found.rival is not None:
            raise _contradiction(found.origin, found.rival)
        try:
            text = _literal(found, is_command=wanted is PASSCMD)
            value = wanted.parser(text, self._beside_file if found.origin.kind == "file" else self._here)
        except ResolutionError as error:
            error.place = str(found.origin)
            raise
        self.values[wanted.name] = value
        if found.padded:
            self.padded.append(found.origin)
        return value


def _literal(found: RawSetting, *, is_command: bool) -> str:
    """The value that the source means. An argument is taken as it is; a command may contain quotes."""
    text, of_file = found.text.reveal(), found.origin.kind == "file"
    if found.origin.kind == "argument" or is_command:
        refuse_control_characters(text)
    else:
        refuse_suspicious(text, of_file=of_file)
    return unescape(text) if of_file else text


def _contradiction(one: Origin, other: Origin) -> ResolutionError:
    return ResolutionError(
        "conflicting_keys",
        f"{one.name} and {other.name} (line {other.line}) are two names of one setting, with different values",
        place=one.place,
        hint="Keep one of them",
    )
