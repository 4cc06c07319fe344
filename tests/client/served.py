"""A real `keybearer serve` in its own process, on a new data directory."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

OWNER = "owner@example.com"
PASSWORD = "correct horse battery staple 9"

KEYBEARER = [sys.executable, "-c", "from keybearer.cli.main import main; main()"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def served(data_dir: Path, *, scheme: str = "http", options: Sequence[str] = ()) -> Iterator[str]:
    """Run a server during the context, and yield its site."""
    port = free_port()
    site = f"{scheme}://127.0.0.1:{port}"
    subprocess.run(
        [*KEYBEARER, "init", "--data-dir", data_dir, "--organization", "Test", "--site", site, "--owner-email", OWNER,
         "--owner-name", "Owner", "--owner-password-stdin"],
        input=PASSWORD, text=True, check=True, capture_output=True,
    )  # fmt: skip
    command = [*KEYBEARER, "serve", "--data-dir", str(data_dir), "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            _wait_until_listening(process, port)
            yield site
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _wait_until_listening(process: subprocess.Popen[str], port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("the server did not start")
