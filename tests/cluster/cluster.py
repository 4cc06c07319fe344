"""The whole cluster: a primary and its standby, two application hosts, a Redis and nginx, and what happens to them."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.hosts import Application, Processes, start_nginx, start_redis, until
from tests.cluster.load import Load
from tests.cluster.network import NETWORK, OPERATOR, Network
from tests.cluster.postgresql import DATABASE, USER, Node, directories

PORT = 5432
ADDRESSES = {
    "db1": "192.0.2.11", "db2": "192.0.2.12", "app1": "192.0.2.21", "app2": "192.0.2.22", "redis": "192.0.2.31",
}  # fmt: skip
APPLICATIONS = ("app1", "app2")


@dataclass
class Cluster:
    """What runs, and which of the two databases is the primary."""

    network: Network
    nodes: dict[str, Node]
    processes: Processes
    hosts: dict[str, str] = field(default_factory=dict)
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    primary: str = "db1"

    @property
    def standby(self) -> str:
        """The other database."""
        return "db2" if self.primary == "db1" else "db1"

    def fence(self) -> None:
        """Make sure that the primary answers nobody, whatever it is doing: its cable is pulled, and it is killed."""
        self.network.unplug(self.primary)
        self.nodes[self.primary].kill()

    def promote(self) -> float:
        """Make the standby the primary. Returns when it accepted changes."""
        self.nodes[self.standby].promote()
        promoted = time.monotonic()
        self.primary = self.standby
        return promoted

    def rebuild_standby(self) -> None:
        """Make the old primary a standby of the new one, and let commits wait for it again."""
        old, new = self.nodes[self.standby], self.nodes[self.primary]
        old.kill()
        self.network.plug(self.standby)
        until(lambda: old.reaches(new), "the network being available again")
        shutil.rmtree(old.data, ignore_errors=True)
        old.create_standby(new)
        old.start()
        new.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        new.execute("SELECT pg_reload_conf()")
        self.wait_for_standby()

    def wait_for_standby(self) -> None:
        """Wait until each commit waits for the standby."""
        until(
            lambda: [row["sync_state"] for row in self.nodes[self.primary].execute(SYNC_STATES)] == ["sync"],
            "the standby confirming commits",
        )

    def messages(self) -> set[str]:
        """The texts of all existing messages."""
        return {row["content"] for row in self.nodes[self.primary].execute("SELECT content FROM messages")}


SYNC_STATES = "SELECT sync_state FROM pg_stat_replication"


@contextmanager
def cluster(directory: Path) -> Iterator[Cluster]:
    """All of it, running. Call this in a separate network namespace."""
    network = Network.create(ADDRESSES)
    processes = Processes(directory)
    with directories("db1", "db2") as places:
        nodes = {
            name: Node(place, ADDRESSES[name], PORT, network.machines[name].within)
            for name, place in zip(("db1", "db2"), places, strict=True)
        }
        made = Cluster(network, nodes, processes)
        try:
            nodes["db1"].create(NETWORK)
            nodes["db1"].start()
            nodes["db1"].execute(f"CREATE DATABASE {DATABASE}")
            made.rebuild_standby()
            database = ",".join(f"{node.address}:{node.port}" for node in nodes.values())
            limits_url = start_redis(network.machines["redis"], processes)
            application = Application(directory, f"postgresql://{USER}@{database}/{DATABASE}", limits_url, OPERATOR)
            application.set_up(network.machines["app1"])
            sites = {name: application.serve(network.machines[name], processes) for name in APPLICATIONS}
            proxy, authority = start_nginx(list(sites.values()), OPERATOR, processes)
            authority.configure_trust(made.trust)
            made.hosts = {**sites, "nginx": proxy}
            yield made
        finally:
            processes.end()
            for node in nodes.values():
                node.kill()


@dataclass(frozen=True)
class Outcome:
    """The result of a fault: how long after the promotion each host succeeded again."""

    fault: str
    recovered: dict[str, float]


async def killed(made: Cluster) -> float:
    """The primary is killed with -9, fenced, and the standby promoted."""
    made.nodes[made.primary].kill()
    await asyncio.sleep(1)
    await asyncio.to_thread(made.fence)
    return await asyncio.to_thread(made.promote)


async def parted(made: Cluster) -> float:
    """The primary lives, but the application hosts receive nothing from it. It is fenced, and the standby promoted."""
    made.network.part(made.primary, APPLICATIONS)
    await asyncio.sleep(3)
    await asyncio.to_thread(made.fence)
    promoted = await asyncio.to_thread(made.promote)
    made.network.join(made.standby, APPLICATIONS)
    return promoted


FAULTS: dict[str, Callable[[Cluster], Awaitable[float]]] = {"kill -9": killed, "partition": parted}
"""What happens to the primary. Each returns when the new one accepted changes."""


async def suffer(made: Cluster, load: Load, fault: str, quiet: float) -> Outcome:
    """Cause a fault under load, wait until every host has recovered, and make a standby again."""
    await asyncio.sleep(quiet)
    promoted = await FAULTS[fault](made)
    recovered: dict[str, float] = {}
    while len(recovered) < len(made.hosts) and time.monotonic() < promoted + 60:
        await asyncio.sleep(0.1)
        for host in made.hosts:
            first = load.history.first_success(host, promoted)
            if first is not None:
                recovered[host] = first - promoted
    await asyncio.sleep(quiet)
    await asyncio.to_thread(made.rebuild_standby)
    return Outcome(fault, recovered)
