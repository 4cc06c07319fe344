"""What happens if a standby is promoted and the old primary is not fenced. This is shown, not prevented."""

from __future__ import annotations

import asyncio

from tests.cluster.cluster import Cluster
from tests.cluster.load import Load


async def show_unfenced(made: Cluster) -> int:
    """Cut the old primary off from `app2` and the standby only, promote the standby, and use a key that ended there.

    Returns what `app1` answers to that key.
    """
    load = Load(made.hosts, made.trust)
    async with load.running():
        await asyncio.sleep(2)
    person = load.people[0]
    before = person.key
    made.network.part(made.primary, ("app2", made.standby))
    await asyncio.to_thread(made.promote)
    print(f"{made.primary} is promoted; {made.standby} still runs, and app1 still reaches it", flush=True)
    is_acknowledged = await load.regenerate_at("app2", person)
    print(f"replacing a key at app2, on the new primary: {'acknowledged' if is_acknowledged else 'failed'}")
    at_new, at_old = [await load.status_of(host, person, before) for host in ("app2", "app1")]
    print(f"the old key at app2: {at_new}\nthe old key at app1: {at_old}")
    await load.close()
    return at_old
