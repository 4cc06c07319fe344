"""Shared by the tests of `keybearer doctor`: a person's zuliprc, a server that answers, and the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keybearer.api_key import checksum
from tests.cli.command_line import CommandLine, Finished
from tests.client.scripted_server import EMAIL, PROFILE, Reply, ScriptedServer, Seen, success

BODY = "kbDoctorDoctorDoctorDoctor"
KEY = BODY + checksum(BODY)
SETTINGS = {"zulip_version": "12.0", "zulip_feature_level": 372, "realm_name": "Elsinore"}

Json = dict[str, Any]


def zulip(profile: Reply | None = None, settings: Reply | None = None) -> Callable[[Seen], Reply]:
    """The responses of a Zulip server to the doctor's requests."""

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/server_settings"):
            return settings or success(**SETTINGS)
        return profile or success(**PROFILE, delivery_email=EMAIL)

    return answer


@dataclass(frozen=True)
class Report:
    """The output of `keybearer doctor --json`."""

    done: Finished
    told: Json

    @property
    def findings(self) -> list[Json]:
        found: list[Json] = self.told["findings"]
        return found

    @property
    def kinds(self) -> list[str]:
        """The kinds of all faults and warnings."""
        return [finding["kind"] for finding in self.findings if finding["severity"] != "good"]

    @property
    def good(self) -> list[str]:
        return [finding["kind"] for finding in self.findings if finding["severity"] == "good"]

    def the(self, kind: str) -> Json:
        """The only finding of this kind."""
        (finding,) = [finding for finding in self.findings if finding["kind"] == kind]
        return finding


@dataclass(frozen=True)
class Patient:
    """A person with a home and, by default, a valid zuliprc for `server`."""

    keybearer: CommandLine
    server: ScriptedServer

    @property
    def path(self) -> Path:
        return self.keybearer.home / ".zuliprc"

    @property
    def good_text(self) -> str:
        return f"[api]\nemail={EMAIL}\nkey={KEY}\nsite={self.server.site}\n"

    def write(self, text: str | bytes | None = None, mode: int = 0o600) -> Path:
        data = text if isinstance(text, bytes) else (self.good_text if text is None else text).encode()
        self.path.write_bytes(data)
        self.path.chmod(mode)
        return self.path

    def examined(self, *options: str, **environ: str) -> Report:
        """The doctor's report. Checks that it has no key, and that the exit code matches it."""
        done = self.keybearer("doctor", "--json", *options, **environ)
        assert KEY not in done.out + done.err
        told = json.loads(done.out)
        faults = [finding for finding in told["findings"] if finding["severity"] == "fault"]
        assert done.code == (1 if faults else 0)
        assert all(finding["remedy"] for finding in told["findings"] if finding["severity"] != "good"), told
        return Report(done, told)

    def offline(self, *options: str, **environ: str) -> Report:
        return self.examined("--offline", *options, **environ)
