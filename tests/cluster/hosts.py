"""What runs on the machines in addition to PostgreSQL: two application hosts, a Redis, and nginx in front."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import trustme

from tests.cluster.history import OK
from tests.cluster.network import Machine
from tests.redis_server import find_redis

KEYBEARER = str(Path(sys.executable).with_name("keybearer"))
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
SAMPLE = Path(__file__).parents[2] / "docs/how-to/nginx.conf"
SITE_HOST = "chat.example.com"
OWNER_EMAIL = "owner@example.com"
PASSWORD = "correct horse battery staple"
PEOPLE = [f"person{number}@example.com" for number in range(8)]
PORT = 9991
HTTPS = 8443


def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until the condition is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.1)


@dataclass
class Processes:
    """All started processes, which end together."""

    directory: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, *command: str, environ: Mapping[str, str] | None = None) -> None:
        """Start a command, whose output is written to a file."""
        with (self.directory / f"{name}.log").open("ab") as log:
            self.started.append(
                subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(environ or {})}, cwd="/")
            )

    def end(self) -> None:
        """End all of them."""
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass(frozen=True)
class Application:
    """Keybearer on its machines, with one database address and one secrets file."""

    directory: Path
    database_url: str
    limits_url: str
    proxy: str

    @property
    def environ(self) -> dict[str, str]:
        """The settings of every machine."""
        return {
            "KEYBEARER_DATABASE_URL": self.database_url,
            "KEYBEARER_SECRETS": str(self.directory / "secrets.json"),
            "KEYBEARER_LIMITS_URL": self.limits_url,
            "KEYBEARER_TRUSTED_PROXIES": self.proxy,
            "KEYBEARER_API_LIMIT": "1000000/minute",
            "KEYBEARER_FAILURE_LIMIT": "1000000/minute",
        }

    def set_up(self, machine: Machine) -> None:
        """Create the organization, its owner, and the people."""
        site = ("--organization", "Example", "--site", f"https://{SITE_HOST}")
        self._run(
            machine, "init", *site, "--owner-email", OWNER_EMAIL, "--owner-name", "Olivia", "--owner-password-stdin"
        )
        for email in PEOPLE:
            self._run(
                machine, "admin", "add-user", "--email", email, "--name", email.partition("@")[0], "--password-stdin"
            )

    def _run(self, machine: Machine, *command: str) -> None:
        """Run a Keybearer command on a machine, with everybody's password on standard input."""
        done = subprocess.run(
            [*machine.within, KEYBEARER, *command, "--data-dir", self._data_dir(machine)],
            input=PASSWORD, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **self.environ},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def serve(self, machine: Machine, processes: Processes) -> str:
        """Serve on a machine. Returns its address."""
        processes.start(
            machine.name, *machine.within, KEYBEARER, "serve", "--data-dir", self._data_dir(machine),
            "--host", machine.address, "--port", str(PORT), environ=self.environ,
        )  # fmt: skip
        site = f"http://{machine.address}:{PORT}"
        until(lambda: is_ready(site), f"{machine.name} being ready")
        return site

    def _data_dir(self, machine: Machine) -> str:
        return str(self.directory / machine.name)


def is_ready(site: str) -> bool:
    """Whether the host there reports that it is ready."""
    try:
        return httpx2.get(f"{site}/health/ready", timeout=5).status_code == OK
    except httpx2.TransportError:
        return False


def start_redis(machine: Machine, processes: Processes) -> str:
    """Start a Redis on a machine. Returns its address."""
    processes.start(
        "redis", *machine.within, find_redis(), "--bind", machine.address, "--protected-mode", "no", "--save", "",
        "--appendonly", "no",
    )  # fmt: skip
    return f"redis://{machine.address}:6379"


def start_nginx(sites: list[str], address: str, processes: Processes) -> tuple[str, trustme.CA]:
    """Start nginx with the sample from the documentation, in front of these sites. Returns its address, and the
    authority that signed its certificate.
    """
    assert NGINX is not None
    directory = processes.directory / "nginx"
    directory.mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert(address)
    issued.private_key_pem.write_to_path(directory / "chat.key")
    issued.cert_chain_pems[0].write_to_path(directory / "chat.pem")
    first, second = (site.removeprefix("http://") for site in sites)
    sample = SAMPLE.read_text()
    for old, new in {
        "server 127.0.0.1:9991;": f"server {first};",
        "#server 192.0.2.2:9991;": f"server {second};",
        "listen 443": f"listen {address}:{HTTPS}",
        "listen 80": f"listen {address}:8080",
        "/etc/ssl/": f"{directory}/",
        "keybearer 200;": "keybearer 2000;",
    }.items():
        assert old in sample, old
        sample = sample.replace(old, new)
    places = "".join(
        f"{name}_temp_path {directory / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"user root; daemon off; pid {directory / 'pid'}; error_log stderr; events {{ worker_connections 2048; }}\n"
        f"http {{ access_log off; {places}\n{sample}\n}}\n"
    )
    processes.start("nginx", NGINX, "-p", str(directory), "-c", str(directory / "nginx.conf"))
    return f"https://{address}:{HTTPS}", authority
