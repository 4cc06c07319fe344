"""What it costs to find the credentials in force, and to load what finds them.

Resolving reads a real file each time and is to take less than 200 µs. Importing is compared with what the standard
modules that the room needs cost by themselves.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from keybearer.store.resolution import resolve

PLAIN = "[api]\nemail=ann@example.com\nkey=kbBenchBenchBenchBenchBenchBench\nsite=https://chat.example.com\n"
FULL = (
    f"# all settings\n{PLAIN}client_cert=c.pem\nclient_cert_key=~/c.pem\ncert_bundle=c.pem\nclient_bundle=c.pem\n"
    "insecure=false\ntoken=t\n\n[zterm]\ntheme=zt_dark\nautohide=true\n"
)
NEEDED = "dataclasses, difflib, hashlib, hmac, ipaddress, pathlib, re, secrets, threading, typing, urllib.parse, zlib"
"""The standard modules that reading and resolving need."""


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        zuliprc = Path(home, ".zuliprc")
        Path(home, "c.pem").touch()
        environ = {**os.environ, "HOME": home}
        variables = {
            **environ,
            "ZULIP_EMAIL": "ann@example.com",
            "ZULIP_API_KEY": "k",
            "ZULIP_SITE": "chat.example.com",
        }
        for title, text, variant in (
            ("the web app's file", PLAIN, environ),
            ("a file with everything in it", FULL, environ),
            ("variables before a file", PLAIN, variables),
        ):
            zuliprc.write_text(text)
            zuliprc.chmod(0o600)
            print(f"resolve, {title}: {_microseconds(_resolving(variant)):.0f} µs")
    bare, needed, room = (
        _start(program) for program in ("pass", f"import {NEEDED}", "import keybearer.zuliprc.resolver")
    )
    print(
        f"import keybearer.zuliprc.resolver: {1000 * (room - bare):.1f} ms over a bare start of {1000 * bare:.1f} ms,"
    )
    print(f"    of which the standard modules are {1000 * (needed - bare):.1f} ms")


def _resolving(environ: Mapping[str, str]) -> Callable[[], object]:
    return lambda: resolve(environ=environ)


def _microseconds(work: Callable[[], object], rounds: int = 15, times: int = 200) -> float:
    """The mean of the fastest round: what else the machine does can only add to it."""
    fastest = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(times):
            work()
        fastest = min(fastest, (time.perf_counter() - start) / times)
    return fastest * 1e6


def _start(program: str, times: int = 15) -> float:
    """Seconds that the interpreter takes for a program, the fastest of some."""
    fastest = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


if __name__ == "__main__":
    main()
