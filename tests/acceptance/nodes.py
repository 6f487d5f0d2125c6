"""A program: a cluster of several nodes on this machine, a crowd that watches, and nodes that come and go.

`python -m tests.acceptance.nodes FOLDER` prints one JSON object a step. It is a process of its own because a
process can be in no more than one Ray cluster, and the other tests are in theirs.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway import ray_environment

NODES_ENVIRONMENT = {
    # A killed raylet is seen after about 2 s: its port refuses at once. A busy one gets longer.
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "4",
}
STUDENTS = 24

SIZED = {
    "shards.count": 1,
    "shards.idle_eviction_s": 2.0,
    "scaling.automatic": True,
    "scaling.shards_min": 1,
    "scaling.shards_max": 2,
    "scaling.sessions_low": 4,
    "scaling.sessions_high": 16,
    "scaling.cpu_low": 0.9,
    "scaling.cpu_high": 9.0,
    "scaling.up_after_s": 2.0,
    "scaling.down_after_s": 6.0,
    "scaling.rest_s": 2.0,
    "scaling.look_every_s": 0.5,
}
"""A band that the crowd leaves by coming, and again by going."""
STEP_S = 60.0


async def run(folder: Path) -> None:
    """All steps, one after the other."""
    from gateway import cluster
    from persistence.embedded import start_all
    from tests.acceptance.crowd import Crowd
    from tests.acceptance.system import start_system
    from tests.conftest import make_database

    nodes = Nodes()
    try:
        nodes.add()
        nodes.add()
        attached = await asyncio.to_thread(cluster.join, nodes.address)
        async with await start_all(folder / "stores", initdb_sync=False) as embedded:
            changes = {"shards.count": 4, "sockets.count": 3}
            async with (
                make_database(embedded, "nodes") as dsn,
                start_system(embedded, dsn, folder / "system", changes) as system,
            ):
                async with Crowd(system, STUDENTS) as crowd:
                    steps = Steps(system, crowd, nodes)
                    await steps.begin()
                    await steps.add_a_node()
                    await steps.drain_a_node()
                    await steps.kill_a_node()
                    say("end", wrong=await crowd.end(), closes=Counter(crowd.closes()))
                await system.stop_devices()
            async with (
                make_database(embedded, "sized") as dsn,
                start_system(embedded, dsn, folder / "sized", SIZED) as system,
            ):
                await size(system, Crowd(system, STUDENTS))
        await attached.stop()
    finally:
        nodes.end()


class Nodes:
    """The nodes: a head and others, each a raylet with its helpers, all on loopback."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.folder = Path(tempfile.mkdtemp(prefix="phn"))
        self.cluster: Any = Cluster(
            initialize_head=True,
            head_node_args={**self._arguments(), "include_dashboard": False, "temp_dir": str(self.folder)},
        )

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self) -> str:
        """One node more; gives its id."""
        return str(self.cluster.add_node(**self._arguments()).node_id)

    def kill(self, node_id: str) -> None:
        """SIGKILL a raylet and collect it: one that nobody waits for keeps its workers alive (F5)."""
        node = self._of(node_id)
        process = node.all_processes["raylet"][0].process
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)

    def remove(self, node_id: str) -> None:
        """End a node's processes in good order."""
        self.cluster.remove_node(self._of(node_id))

    def end(self) -> None:
        """End all of them, and what they have left."""
        with suppress(AssertionError):
            self.cluster.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _of(self, node_id: str) -> Any:
        return next(node for node in self.cluster.list_all_nodes() if node.node_id == node_id)

    @staticmethod
    def _arguments() -> dict[str, Any]:
        return {"num_cpus": 2, "node_ip_address": "127.0.0.1", "object_store_memory": 80 << 20}


class Steps:
    """What is done to the nodes, and what is seen of it."""

    def __init__(self, system: Any, crowd: Any, nodes: Nodes) -> None:
        self.system = system
        self.crowd = crowd
        self.nodes = nodes

    async def begin(self) -> None:
        await self.crowd.beats(4)
        self.crowd.longest_s()
        say("begin", where=await self.where(), slots=await self.slots_by_node())

    async def add_a_node(self) -> None:
        """A fourth node comes and takes its share."""
        began_s = time.monotonic()
        node = self.nodes.add()
        await self.system.running.directory.scale.remote(6, 4)
        change = await self.changed()
        await self.crowd.beats(4)
        self.tell("added", began_s, node, change, await self.where(), await self.slots_by_node())

    async def drain_a_node(self) -> None:
        """A node with shards and a gateway is drained, then taken away."""
        began_s = time.monotonic()
        node = await self.some_node()
        await self.system.running.directory.drain_node.remote(node)
        change = await self.changed()
        left = await self.where()
        self.nodes.remove(node)
        await self.crowd.beats(4)
        self.tell("drained", began_s, node, change, left, await self.slots_by_node())

    async def kill_a_node(self) -> None:
        """Another one is killed, and everybody is served again."""
        node = await self.some_node()
        had = await self.where()
        began_s = time.monotonic()
        self.nodes.kill(node)
        await self.system.until(lambda: self.elsewhere(node), STEP_S)
        await self.crowd.beats(4)
        self.tell(
            "killed", began_s, node, {"had": had.get(node)}, await self.where(), await self.slots_by_node()
        )

    def tell(self, step: str, began_s: float, node: str, change: Any, where: Any, slots: Any) -> None:
        took_s = round(time.monotonic() - began_s, 1)
        longest_s = round(self.crowd.longest_s(), 2)
        say(step, node=node, change=change, where=where, slots=slots, took_s=took_s, longest_s=longest_s)

    async def changed(self) -> dict[str, Any]:
        """The change that was begun, once it has ended."""

        async def ended() -> dict[str, Any] | None:
            change: dict[str, Any] = await self.system.running.directory.progress.remote()
            return change if change["state"] in ("done", "failed") else None

        change: dict[str, Any] = await self.system.until(ended, STEP_S)
        pauses_ms = sorted(change.pop("tally")["pauses_ms"])
        return change | {"moved": len(pauses_ms), "longest_pause_ms": pauses_ms[-1] if pauses_ms else 0.0}

    async def where(self) -> dict[str, list[str]]:
        """The actors of each node, once every one has answered since now."""
        figures = await self.system.until(self.fresh, STEP_S)
        found: dict[str, list[str]] = {}
        for name, actor in sorted(figures.items()):
            found.setdefault(actor["node"], []).append(name)
        return found

    async def fresh(self) -> dict[str, Any] | None:
        stats = await self.system.running.stats()
        actors: dict[str, Any] = stats["actors"]
        seen = [actor["seen_s"] for actor in actors.values()]
        return actors if all(age is not None and age < 2.0 for age in seen) else None

    async def elsewhere(self, node: str) -> bool:
        """Whether every actor has answered, and none from this node."""
        try:
            figures = await self.fresh()
        except Exception:  # noqa: BLE001 - the directory itself may be on its way to another node
            return False
        return figures is not None and all(actor["node"] != node for actor in figures.values())

    async def slots_by_node(self) -> dict[str, int]:
        figures = await self.system.until(self.fresh, STEP_S)
        _version, owners = await self.system.running.directory.slot_map.remote()
        return dict(Counter(figures[owner]["node"] for owner in owners))

    async def some_node(self) -> str:
        """A node that has a shard and a socket gateway, and is neither the head nor gone."""
        head = self.nodes.cluster.head_node.node_id
        for node, names in (await self.where()).items():
            kinds = {name.rpartition(":")[0] for name in names}
            if node != head and {"shard", "gateway:socket"} <= kinds:
                return node
        raise AssertionError(f"no node has both a shard and a gateway: {await self.where()}")


async def size(system: Any, crowd: Any) -> None:
    """The crowd comes, and there is one shard more; it goes, and so does the shard."""
    from ray._private.ray_constants import AUTOSCALER_RESOURCE_REQUEST_CHANNEL
    from ray.experimental.internal_kv import _internal_kv_get

    async def shards() -> list[str]:
        actors = (await system.running.stats())["actors"]
        return [name for name in actors if name.startswith("shard:")]

    async def settled(count: int) -> bool:
        change = await system.running.directory.progress.remote()
        return len(await shards()) == count and change is not None and change["state"] == "done"

    def asked() -> int:
        """Cores that Ray's autoscaler has been asked for."""
        return len(json.loads(_internal_kv_get(AUTOSCALER_RESOURCE_REQUEST_CHANNEL) or b"[]"))

    before = await shards()
    async with crowd:
        await system.until(lambda: settled(2), STEP_S)
        say("grown", before=before, shards=await shards(), cores=await asyncio.to_thread(asked))
        await crowd.beats(2)
        wrong, closes = await crowd.end(), Counter(crowd.closes())
    await system.stop_devices()
    await system.until(lambda: settled(1), STEP_S)
    say("shrunk", shards=await shards(), cores=await asyncio.to_thread(asked), wrong=wrong, closes=closes)


def say(step: str, **found: Any) -> None:
    print(json.dumps({"step": step, **found}), flush=True)


if __name__ == "__main__":
    scratch = Path(sys.argv[1])
    os.environ.update(NODES_ENVIRONMENT)
    ray_environment.prepare(scratch / "ray.token", loopback=True)
    asyncio.run(run(scratch))
