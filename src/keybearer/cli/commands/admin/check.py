"""`keybearer admin check`: what would fail if a server is started here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import click

from keybearer.cli.data_dir import on_data, run_stoppable
from keybearer.cli.options import json_option
from keybearer.cli.terminal.output import note, print_json, say
from keybearer.server import checks
from keybearer.server.checks import Finding, Severity
from keybearer.server.settings import Settings
from keybearer.wording import counted


@click.command()
@json_option
@on_data
def check(settings: Settings, *, as_json: bool) -> int:
    """Check what a server needs: directory, disk, database, secrets, clock, site, limits, certificate, mail server.

    It takes the same variables as `keybearer serve`. Run it as the same user. Nothing is changed, and a server may be
    running. The exit code is 1 if there are faults.
    """
    findings = run_stoppable(_all(settings))
    faults = sum(finding.severity is Severity.FAULT for finding in findings)
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        for finding in findings:
            remedy = f". {finding.remedy}" if finding.remedy else ""
            say(f"{finding.severity}: {finding.about}: {finding.message}{remedy}")
        note(f"{counted(faults, 'fault')} found." if faults else "The server can start.")
    return 1 if faults else 0


async def _all(settings: Settings) -> Sequence[Finding]:
    return [finding async for finding in checks.check(settings)]
