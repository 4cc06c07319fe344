"""All checks in their order: the file, the active settings, the variables, certificates, the network, the server.

A fault in the file does not stop later checks: they continue with the file as `--fix` would leave it. But the key is
not sent while the meaning of its file is unclear.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from keybearer.cli.commands.doctor import environment
from keybearer.cli.commands.doctor.certificates import prepare
from keybearer.cli.commands.doctor.file import CheckedFile
from keybearer.cli.commands.doctor.findings import Finding, of_error
from keybearer.cli.commands.doctor.key import check_key, secrets_in
from keybearer.cli.commands.doctor.kinds import REMEDIES
from keybearer.cli.commands.doctor.network import check_connection
from keybearer.cli.commands.doctor.server import check_server
from keybearer.cli.terminal.spinner import spinner
from keybearer.client.http.proxies import proxy_for
from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.store import passcmd
from keybearer.store.home import surroundings
from keybearer.zuliprc.checking import CheckedSettings, check_sources
from keybearer.zuliprc.credentials import Credentials, TLSOptions
from keybearer.zuliprc.fields import (
    CLIENT_BUNDLE,
    CLIENT_CERT,
    CLIENT_CERT_KEY,
    INSECURE,
    KEY,
    PASSCMD,
    SITE,
)
from keybearer.zuliprc.resolver import Resolution, resolve_sources
from keybearer.zuliprc.sources import Arguments, Environment, Sources, ZuliprcFile

_TLS = (CLIENT_CERT, CLIENT_CERT_KEY, CLIENT_BUNDLE, INSECURE)
_REPORTED_BY_CHECKS = frozenset(
    {
        "invisible_character",
        "odd_key_shape",
        "readable_by_others",
        "shadows_named_file",
        "unknown_setting",
        "writable_by_others",
    }
)
"""Warnings of resolving for which the doctor has its own findings."""

_ACCEPTED = frozenset({"key_accepted", "named_key", "incoming_webhook_bot"})
"""Findings that show that a key is not mistyped: a key of another server may begin like ours by chance."""


@dataclass(slots=True)
class Checks:
    """The checks, and their results: `findings`, and `secrets`, which no text of a finding may contain."""

    file: CheckedFile
    arguments: Arguments
    environ: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list, repr=False)

    def run(self, timeout: float | None) -> None:
        """Run all useful checks. `timeout` is the seconds to wait for the server; with None, it is not asked."""
        self.findings += self.file.findings
        self.findings += environment.check_variables(self.file.location.named_by, self.environ)
        if self.file.fixed is None:
            return
        sources = Sources(self.arguments, Environment(self.environ), self.file.fixed)
        for source in (sources.arguments, sources.environment, sources.file):
            self.secrets += secrets_in(source)
        examined = check_sources(sources, surroundings(self.environ))
        self._add([of_error(fault) for fault in examined.faults])
        resolution = None if examined.faults else self._resolve(sources, self.file.fixed)
        key = self._key(examined, resolution, self.file.fixed, may_run=timeout is not None)
        site, tls = self._site(examined), _tls_options(examined)
        if tls is not None:
            credentials = Credentials(resolution.email, key, site, tls=tls) if resolution and key else None
            self._check_server(site, tls, examined, credentials, timeout)

    def _add(self, findings: list[Finding]) -> None:
        """Add findings about the fixed file, with the line numbers of the real file."""
        draft = self.file.draft
        for one in findings:
            added = one if draft is None else Finding(
                one.kind, draft.in_file(one.message), draft.in_file(one.place), draft.in_file(one.remedy), one.fix
            )  # fmt: skip
            self.findings.append(added)

    def _resolve(self, sources: Sources, file: ZuliprcFile) -> Resolution:
        resolution = resolve_sources(
            sources, surroundings(self.environ), fetch_key=lambda command: passcmd.fetch_key(command, self.environ)
        )
        self._add(
            [
                Finding(warning.kind, warning.message, warning.place, REMEDIES.get(warning.kind, ""))
                for warning in resolution.warnings
                if warning.kind not in _REPORTED_BY_CHECKS
            ]
        )
        self._add(list(environment.check_shadows(resolution, file)))
        return resolution

    def _key(
        self, examined: CheckedSettings, resolution: Resolution | None, file: ZuliprcFile, *, may_run: bool
    ) -> Secret | None:
        """The key, if it may be sent. A malformed key is not sent."""
        origin = examined.origins[KEY.name]
        key = examined.values.get(KEY.name)
        of_command = resolution is not None and origin.name == PASSCMD.name
        if resolution is not None and of_command:
            key = self._fetched(resolution, file, may_run=may_run)
        if not isinstance(key, Secret):
            return None
        self.secrets.append(key)
        oddities = list(check_key(key, str(origin)))
        if resolution is not None and not oddities:
            shown = f"the key from {PASSCMD.name}" if of_command else f"the key {key.masked()}"
            found = f"{resolution.email}, with {shown} from {origin}"
            self._add([Finding("credentials_found", found, str(resolution.origins["email"]))])
        self._add(oddities)
        unclear = file.document is not None and file.document.faults
        return None if unclear or any(one.kind == "key_malformed" for one in oddities) else key

    def _fetched(self, resolution: Resolution, file: ZuliprcFile, *, may_run: bool) -> Secret | None:
        """The key that a password command prints, unless another user could have written the command.

        The key is used only for the server, so the command is not run if no server is asked (`may_run`).
        """
        place = str(resolution.origins[PASSCMD.name])
        try:
            passcmd.require_trustworthy(file, place)
        except ResolutionError as error:
            only_mode = file.mode is not None and file.owner == os.geteuid()
            self._add([of_error(error, fix="the mode is set to 600" if only_mode else "")])
            return None
        if not may_run:
            place, email = str(resolution.origins["email"]), resolution.email
            self._add(
                [Finding("credentials_found", f"{email}, with a key from {PASSCMD.name}, which was not run", place)]
            )
            return None
        try:
            return resolution.api_key
        except ResolutionError as error:
            self._add([of_error(error)])
            return None

    def _site(self, examined: CheckedSettings) -> str:
        """The site; empty if no usable one is set."""
        nothing_there = any(one.kind in {"config_not_found", "missing_section"} for one in self.findings)
        if examined.origins[SITE.name].kind == "default" and not nothing_there:
            self.findings.append(
                Finding(
                    "missing_site",
                    "No site is set, so there is no server to connect to",
                    str(self.file.location.path or ""),
                    f"Add a line site=https://…, or set {SITE.variable}",
                )
            )
        return cast("str", examined.values.get(SITE.name, ""))

    def _check_server(
        self,
        site: str,
        tls: TLSOptions,
        examined: CheckedSettings,
        credentials: Credentials | None,
        timeout: float | None,
    ) -> None:
        context, usable = None, True
        if site.startswith("https:") or tls != TLSOptions():
            context, found = prepare(tls, examined.origins, site)
            usable = context is not None
            self._add(found)
        self.findings += environment.check_trust(tls, site, self.environ)
        if not site:
            return
        proxy = proxy_for(site)
        self.findings += environment.check_proxy(proxy, site)
        if timeout is None:
            return
        with spinner(f"Waiting for {site}"):  # by now, the passphrase of a client certificate has been entered
            if proxy is None:
                found = list(check_connection(site, tls, context, timeout))
                self.findings += found
                usable = usable and not any(one.severity == "fault" for one in found)
            if usable:
                plain = not site.startswith("https:")
                context = None if plain else context
                self.findings += check_server(site, credentials, tls, context, timeout=timeout, proxy=proxy)
        if any(one.kind in _ACCEPTED for one in self.findings):
            self.findings = [one for one in self.findings if one.kind != "key_mistyped"]


def _tls_options(examined: CheckedSettings) -> TLSOptions | None:
    """The TLS options for the server; None if one of their settings is invalid."""
    broken = any(one.name not in examined.values and examined.origins[one.name].kind != "default" for one in _TLS)
    if broken or any(fault.kind == "key_without_cert" for fault in examined.faults):
        return None
    values = examined.values
    return TLSOptions(
        client_cert=cast("str | None", values.get(CLIENT_CERT.name)),
        client_cert_key=cast("str | None", values.get(CLIENT_CERT_KEY.name)),
        cert_bundle=cast("str | None", values.get(CLIENT_BUNDLE.name)),
        insecure=cast("bool", values.get(INSECURE.name, False)),
    )
