"""Machines as Linux network namespaces, joined by a switch: cables are pulled and packets lost for real.

All of it is created inside a separate namespace, so nothing of it is visible or reachable from outside. The addresses
are those that are reserved for documentation.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SWITCH = "switch"
OPERATOR = "192.0.2.1"
NETWORK = "192.0.2.0/24"
INSIDE = "INSIDE_CLUSTER_NAMESPACE"


def is_possible() -> bool:
    """Whether this user may create namespaces here."""
    tools = all(shutil.which(tool) for tool in ("ip", "unshare", "setpriv", "mount"))
    return sys.platform == "linux" and os.geteuid() == 0 and tools


def enter(module: str, arguments: Sequence[str]) -> None:
    """Run the module in a separate namespace, unless it already runs in one. Does not return if it must be started
    again.
    """
    if os.environ.get(INSIDE):
        return
    command = ["unshare", "--net", "--mount", "--kill-child", "--pid", "--fork", "--mount-proc"]
    os.execvpe("unshare", [*command, sys.executable, "-m", module, *arguments], {**os.environ, INSIDE: "1"})  # noqa: S606  a list, no shell


def run(*command: str) -> None:
    """Run a network command, which must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


@dataclass(frozen=True)
class Machine:
    """A machine with its own address."""

    name: str
    address: str

    @property
    def within(self) -> tuple[str, ...]:
        """The prefix of a command that runs on it."""
        return ("ip", "netns", "exec", self.name)


@dataclass
class Network:
    """The machines, and which of them reach each other. The operator, the clients and the proxy are where this program
    runs.
    """

    machines: dict[str, Machine] = field(default_factory=dict)

    @classmethod
    def create(cls, addresses: dict[str, str]) -> Network:
        """A network with these machines."""
        Path("/run/netns").mkdir(parents=True, exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")  # visible only to this program and what it starts
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", SWITCH, "type", "bridge")
        run("ip", "addr", "add", f"{OPERATOR}/24", "dev", SWITCH)
        run("ip", "link", "set", SWITCH, "up")
        network = cls({name: Machine(name, address) for name, address in addresses.items()})
        for machine in network.machines.values():
            network._join(machine)
        return network

    def _join(self, machine: Machine) -> None:
        inside = ("ip", "-n", machine.name)
        run("ip", "netns", "add", machine.name)
        run("ip", "link", "add", _cable(machine), "type", "veth", "peer", "name", "eth0", "netns", machine.name)
        run("ip", "link", "set", _cable(machine), "master", SWITCH, "up")
        run(*inside, "addr", "add", f"{machine.address}/24", "dev", "eth0")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "link", "set", "eth0", "up")

    def unplug(self, name: str) -> None:
        """Pull a machine's cable: nobody reaches it, and nobody is told."""
        run("ip", "link", "set", _cable(self.machines[name]), "down")

    def plug(self, name: str) -> None:
        """Put the cable back."""
        run("ip", "link", "set", _cable(self.machines[name]), "up")

    def part(self, name: str, others: Iterable[str]) -> None:
        """Drop what a machine sends to these others. For them it is silent; for all others it continues."""
        for other in others:
            run("ip", "-n", name, "route", "add", "blackhole", f"{self.machines[other].address}/32")

    def join(self, name: str, others: Iterable[str]) -> None:
        """Undo `part`."""
        for other in others:
            run("ip", "-n", name, "route", "del", "blackhole", f"{self.machines[other].address}/32")


def _cable(machine: Machine) -> str:
    return f"to-{machine.name}"
