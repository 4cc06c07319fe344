"""What the variables of the environment do to the credentials and to the way to the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from keybearer.cli.commands.doctor.findings import Finding
from keybearer.cli.credential_variables import HEEDED
from keybearer.client.http.proxies import Proxy
from keybearer.errors import ResolutionError
from keybearer.zuliprc import literal, values
from keybearer.zuliprc.credentials import TLSOptions
from keybearer.zuliprc.fields import CLIENT_BUNDLE, CONFIG_FILE, FIELDS, PROFILE
from keybearer.zuliprc.resolver import Resolution
from keybearer.zuliprc.review import likely_variable
from keybearer.zuliprc.sources import Environment, ZuliprcFile

_OF_OTHERS = frozenset({"ZULIP_EDITOR_COMMAND", "ZULIP_BOTSERVER_CONFIG"})
"""Variables of zulip-terminal and zulip-botserver, which have nothing to do with credentials of ours."""

_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def check_variables(named_by: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that say nothing to anybody, or not what they seem to. `named_by` is as in Location."""
    if environ.get(PROFILE.variable) and named_by not in {"", PROFILE.variable, PROFILE.argument}:
        yield Finding(
            "profile_ignored",
            f"This names a profile, and {named_by}, which names a file, goes before it",
            PROFILE.variable,
            f"Unset {PROFILE.variable}, or {CONFIG_FILE.variable}",
        )
    names = set(Environment(environ).names("ZULIP"))
    for name in sorted(names - HEEDED - _OF_OTHERS):
        meant = likely_variable(name)
        if meant and meant not in names:
            yield Finding("unknown_variable", "This variable is not known", name, f"Did you mean {meant}?")
        elif name.startswith("ZULIP_"):
            yield Finding("unknown_variable", "Nothing here reads this variable", name, f"If it is yours, unset {name}")


def check_shadows(resolution: Resolution, file: ZuliprcFile) -> Iterator[Finding]:
    """Variables that go before something else in the file."""
    for name, shadowed in resolution.shadowed.items():
        origin, below = resolution.origins[name], shadowed[-1]
        if origin.kind == "environment" and below.kind == "file" and not _same(resolution, file, name):
            yield Finding(
                "shadowed_setting",
                f"This variable goes before the {below.name} in {below}, which says something else",
                origin.place,
                f"Unset {origin.place}, unless it is meant",
            )


def _same(resolution: Resolution, file: ZuliprcFile, name: str) -> bool:
    field, found = FIELDS[name], file.find(FIELDS[name])
    if found is None:
        return False
    beside = values.Surroundings(None, str(Path(file.path).parent))
    try:
        return bool(field.parser(literal.unescape(found.text.reveal()), beside) == resolution.values.get(name))
    except ResolutionError:
        return False


def check_trust(tls: TLSOptions, site: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that say which certificates are trusted, to us or to others."""
    if not site.startswith("https:"):
        return
    for name in CLIENT_BUNDLE.fallbacks:
        if environ.get(name):
            yield Finding(
                "foreign_ca_variable",
                "This variable of other programs says which certificates are trusted where no cert_bundle does; in "
                "Zulip's Python bindings it goes before cert_bundle and insecure",
                name,
                f"Say it by cert_bundle, and unset {name} for programs that use the bindings",
            )
    if tls.insecure or tls.cert_bundle:
        return
    for name in _TRUST:
        if path := environ.get(name):
            there = "" if Path(path).exists() else ", which does not exist, so that certifi's certificates are used"
            yield Finding(
                "moved_trust",
                f"Which certificates are trusted is said by this variable: {path}{there}",
                name,
                f"Unset {name}, unless it is meant; cert_bundle goes before it",
            )


def check_proxy(proxy: Proxy | None, site: str) -> Iterator[Finding]:
    """A proxy, which everything goes through and which may be the reason for everything."""
    if proxy is not None:
        yield Finding(
            "proxy",
            f"Calls to {site} go through the proxy {proxy.address}",
            proxy.variable,
            f"Put its host into NO_PROXY, or unset {proxy.variable}, if it is not meant",
        )
