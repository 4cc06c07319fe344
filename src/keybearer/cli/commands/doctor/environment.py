"""Checks how environment variables change the credentials and the connection to the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from keybearer.cli.commands.doctor.findings import Finding
from keybearer.cli.credential_variables import READ_BY_PROGRAMS
from keybearer.client.http.proxies import Proxy
from keybearer.errors import ResolutionError
from keybearer.zuliprc import literal, values
from keybearer.zuliprc.credentials import TLSOptions
from keybearer.zuliprc.fields import CLIENT_BUNDLE, CONFIG_FILE, FIELDS, PROFILE
from keybearer.zuliprc.resolver import Resolution
from keybearer.zuliprc.review import likely_variable
from keybearer.zuliprc.sources import Environment, ZuliprcFile

_OF_OTHERS = frozenset({"ZULIP_EDITOR_COMMAND", "ZULIP_BOTSERVER_CONFIG"})
"""Variables of zulip-terminal and zulip-botserver, which do not affect our credentials."""

_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def check_variables(named_by: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Findings about variables without an effect, or with an unexpected one. `named_by` is as in Location."""
    if environ.get(PROFILE.variable) and named_by not in {"", PROFILE.variable, PROFILE.argument}:
        yield Finding(
            "profile_ignored",
            f"This names a profile, but {named_by} names a file and takes precedence",
            PROFILE.variable,
            f"Unset {PROFILE.variable}, or {CONFIG_FILE.variable}",
        )
    names = set(Environment(environ).names("ZULIP"))
    for name in sorted(names - READ_BY_PROGRAMS - _OF_OTHERS):
        meant = likely_variable(name)
        if meant and meant not in names:
            yield Finding("unknown_variable", "This variable is unknown", name, f"Did you mean {meant}?")
        elif name.startswith("ZULIP_"):
            yield Finding(
                "unknown_variable",
                "Keybearer and Zulip do not read this variable",
                name,
                f"If it is yours, unset {name}",
            )


def check_shadows(resolution: Resolution, file: ZuliprcFile) -> Iterator[Finding]:
    """Findings about variables that override another value in the file."""
    for name, shadowed in resolution.shadowed.items():
        origin, below = resolution.origins[name], shadowed[-1]
        if origin.kind == "environment" and below.kind == "file" and not _same(resolution, file, name):
            yield Finding(
                "shadowed_setting",
                f"This variable overrides the {below.name} in {below}, which has another value",
                origin.place,
                f"Unset {origin.place}, unless you want this",
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
    """Findings about variables that set the trusted certificates, for us or for other programs."""
    if not site.startswith("https:"):
        return
    for name in CLIENT_BUNDLE.fallbacks:
        if environ.get(name):
            yield Finding(
                "foreign_ca_variable",
                "This variable of other programs sets the trusted certificates if there is no cert_bundle; in "
                "Zulip's Python bindings it overrides cert_bundle and insecure",
                name,
                f"Use cert_bundle instead, and unset {name} for programs that use the bindings",
            )
    if tls.insecure or tls.cert_bundle:
        return
    for name in _TRUST:
        if path := environ.get(name):
            there = "" if Path(path).exists() else ", which does not exist, so certifi's certificates are used"
            yield Finding(
                "moved_trust",
                f"This variable sets the trusted certificates: {path}{there}",
                name,
                f"Unset {name}, unless you want this; cert_bundle overrides it",
            )


def check_proxy(proxy: Proxy | None, site: str) -> Iterator[Finding]:
    """A finding about a proxy, which may be the cause of any other fault."""
    if proxy is not None:
        yield Finding(
            "proxy",
            f"Calls to {site} go through the proxy {proxy.address}",
            proxy.variable,
            f"If you do not want this, add the host to NO_PROXY, or unset {proxy.variable}",
        )
