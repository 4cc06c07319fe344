"""The client half compared with Zulip's official bindings: calls, whole processes, imports; and resolving."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import httpcore2
import zulip
from tests.server_process import KEYBEARER, clean_environ

import keybearer
from benchmarks.population import Population
from benchmarks.rounds import Measured, Plan, in_turns, repeated
from benchmarks.rows import EACH, Row, Target, at_most, row, simple_row
from benchmarks.servers import Installation, installation, temporary_directory
from keybearer.store.resolution import resolve

IN_FLIGHT = 32

PLAIN = "[api]\nemail=ann@example.com\nkey=kbBenchBenchBenchBenchBenchBench\nsite=https://chat.example.com\n"
FULL = (
    f"# all settings\n{PLAIN}client_cert=c.pem\nclient_cert_key=~/c.pem\ncert_bundle=c.pem\nclient_bundle=c.pem\n"
    "insecure=false\ntoken=t\n\n[zterm]\ntheme=zt_dark\nautohide=true\n"
)
VARIABLES = {"ZULIP_EMAIL": "ann@example.com", "ZULIP_API_KEY": "k", "ZULIP_SITE": "chat.example.com"}
NEEDED_BY_RESOLVER = (
    "dataclasses, difflib, hashlib, hmac, ipaddress, pathlib, re, secrets, threading, typing, urllib.parse, zlib"
)
"""The standard modules that reading and resolving need."""
NEEDED_BY_CLIENT = "base64, dataclasses, ipaddress, json, re, threading, typing, urllib.parse"
"""The standard modules that the client loads when it is imported."""
SCRIPT = "import sys, zulip; print(zulip.Client(config_file=sys.argv[1]).get_profile()['email'])"
"""The same as `keybearer whoami`, with the bindings."""
LIBRARIES = """\
import base64, configparser, json, sys
import click, httpcore2
settings = configparser.ConfigParser()
settings.read(sys.argv[1])
email, key, site = (settings["api"][name] for name in ("email", "key", "site"))
headers = {"Authorization": "Basic " + base64.b64encode(f"{email}:{key}".encode()).decode()}
with httpcore2.ConnectionPool() as library:
    for path in ("users/me", "users/me/api_keys/current"):
        answer = json.loads(library.request("GET", f"{site}/api/v1/{path}", headers=headers).content)
click.echo(answer)
"""
"""The two requests of `keybearer whoami`, with the libraries that it uses and nothing else."""


def measure(plan: Plan) -> list[Row]:
    """Measure all of it, on a server without other users."""
    with temporary_directory() as home, installation(Population(100)) as found:
        zuliprc = _zuliprc(home, found)
        return [*_calls(plan, zuliprc), *_whoami(plan, zuliprc), *_imports(plan), *_resolving(plan, home)]


def _zuliprc(home: Path, found: Installation) -> Path:
    credential = found.credentials[0]
    site = f"http://127.0.0.1:{found.server.port}"
    path = home / "zuliprc"
    path.write_text(f"[api]\nemail={credential.email}\nkey={credential.key}\nsite={site}\n")
    path.chmod(0o600)
    return path


def _calls(plan: Plan, zuliprc: Path) -> list[Row]:
    """Repeat `users/me` in this process, with each client."""
    with ExitStack() as stack:
        bindings = zulip.Client(config_file=str(zuliprc))
        client = stack.enter_context(keybearer.Client(config_file=zuliprc))
        runner = stack.enter_context(asyncio.Runner())
        asynchronous = keybearer.AsyncClient(config_file=zuliprc)
        library = stack.enter_context(httpcore2.ConnectionPool())
        address = f"{bindings.base_url}v1/users/me"
        login = base64.b64encode(f"{bindings.email}:{bindings.api_key}".encode()).decode()
        headers = [("Authorization", f"Basic {login}")]
        sides: list[Callable[[], Measured]] = [
            lambda: repeated(bindings.get_profile, plan.seconds),
            lambda: repeated(client.get_profile, plan.seconds),
            lambda: runner.run(_in_flight(asynchronous, plan.seconds)),
            lambda: repeated(
                lambda: json.loads(library.request("GET", address, headers=headers).content), plan.seconds
            ),
        ]
        theirs, ours, ours_asynchronous, of_library = in_turns(plan, "client, calls", *sides)
        runner.run(asynchronous.aclose())

    def compared(name: str, rounds: list[Measured], target: Target | None = None) -> Row:
        beside = "the bindings, one call after another"
        return row(name, "", EACH, rounds, beside=beside, yardstick=theirs, target=target)

    return [
        compared("a call of `Client`", ours, at_most(0.6)),
        compared("the same request with the HTTP library alone: the floor", of_library),
        compared(f"a call of `AsyncClient`, {IN_FLIGHT} in flight", ours_asynchronous, at_most(0.6)),
    ]


async def _in_flight(client: keybearer.AsyncClient, seconds: float) -> Measured:
    latencies: list[float] = []
    cpu, begun = time.process_time(), time.perf_counter()

    async def call_repeatedly() -> None:
        while (sent := time.perf_counter()) - begun < seconds:
            await client.get_profile()
            latencies.append(time.perf_counter() - sent)

    await asyncio.gather(*(call_repeatedly() for _ in range(IN_FLIGHT)))
    return Measured(time.perf_counter() - begun, sorted(latencies), time.process_time() - cpu)


def _whoami(plan: Plan, zuliprc: Path) -> list[Row]:
    ours, theirs, of_libraries = in_turns(
        plan,
        "client, whoami",
        lambda: _run(KEYBEARER, "whoami", "--config-file", str(zuliprc)),
        lambda: _run(sys.executable, "-c", SCRIPT, str(zuliprc)),
        lambda: _run(sys.executable, "-c", LIBRARIES, str(zuliprc)),
    )

    def compared(name: str, times: list[float], target: Target | None = None) -> Row:
        beside = "a script with the bindings"
        return simple_row(name, "", "ms", times, beside=beside, yardstick=theirs, target=target)

    return [
        compared("`keybearer whoami`", ours, at_most(0.9)),
        compared("the same requests with its libraries alone: the floor", of_libraries),
    ]


def _imports(plan: Plan) -> list[Row]:
    """The time in addition to that of an interpreter that runs nothing."""
    bare, client, of_client, resolver, of_resolver = in_turns(
        plan,
        "client, imports",
        lambda: _run(sys.executable, "-c", "pass"),
        lambda: _run(sys.executable, "-c", "from keybearer import Client"),
        lambda: _run(sys.executable, "-c", f"import {NEEDED_BY_CLIENT}"),
        lambda: _run(sys.executable, "-c", "import keybearer.zuliprc.resolver"),
        lambda: _run(sys.executable, "-c", f"import {NEEDED_BY_RESOLVER}"),
    )

    def over(times: list[float]) -> list[float]:
        return [time - start for time, start in zip(times, bare, strict=True)]

    beside = "the standard modules it needs"
    return [
        simple_row("importing the client", "", "ms", over(client), target=at_most(45)),
        simple_row("importing the standard modules that it needs: the floor", "", "ms", over(of_client)),
        simple_row("importing the resolver", "", "ms", over(resolver), beside=beside, yardstick=over(of_resolver)),
    ]


def _run(*command: str) -> float:
    """The milliseconds that a program takes."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=clean_environ())
    return (time.perf_counter() - begun) * 1000


def _resolving(plan: Plan, home: Path) -> list[Row]:
    """A real file is read each time."""
    (home / "c.pem").touch()
    environ = {**clean_environ(), "HOME": str(home)}
    kinds = {
        "the web app's file": (PLAIN, environ),
        "a file with everything in it": (FULL, environ),
        "variables before a file": (PLAIN, {**environ, **VARIABLES}),
    }
    sides = [_resolution(plan, home / str(number), *kind) for number, kind in enumerate(kinds.values())]
    found = in_turns(plan, "client, resolving", *sides)
    return [
        row(f"resolving, {name}", "", EACH, rounds, target=at_most(200))
        for name, rounds in zip(kinds, found, strict=True)
    ]


def _resolution(plan: Plan, home: Path, text: str, environ: Mapping[str, str]) -> Callable[[], Measured]:
    home.mkdir()
    (home / "c.pem").touch()
    zuliprc = home / ".zuliprc"
    zuliprc.write_text(text)
    zuliprc.chmod(0o600)
    variables = {**environ, "HOME": str(home)}
    return lambda: repeated(lambda: resolve(environ=variables), plan.seconds / 5)
