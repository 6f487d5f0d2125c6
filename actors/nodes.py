"""The nodes of the Ray cluster: which there are, on which a new actor goes, and asking Ray for more."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


def footprint() -> dict[str, str | float]:
    """What an actor says of itself: its node, "" outside of Ray, and the CPU its process has used, in s."""
    node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""
    return {"node": node, "cpu_s": round(time.process_time(), 3)}


async def alive() -> list[str]:
    """Ids of the nodes that are up, in a fixed order. Asks the control plane."""
    nodes = await asyncio.to_thread(ray.nodes)
    return sorted(node["NodeID"] for node in nodes if node["Alive"])


def on(node: str) -> NodeAffinitySchedulingStrategy:
    """Start there; wherever there is room once that node is gone, so that a restart finds a place."""
    return NodeAffinitySchedulingStrategy(node, soft=True)


def choose(names: Iterable[str], where: Mapping[str, str], nodes: Sequence[str]) -> dict[str, str]:
    """A node for each new actor: the one with the fewest of its kind, then the one with the fewest at all.

    `where` is the node of every actor there is. The kind is the name up to its last colon (`shard`,
    `gateway:socket`). Without nodes nothing is chosen, and Ray decides.
    """
    all_of = Counter(where.values())
    kinds = Counter((kind(name), node) for name, node in where.items())
    chosen: dict[str, str] = {}
    for name in names:
        if not nodes:
            break
        node = min(nodes, key=lambda node: (kinds[kind(name), node], all_of[node], node))
        chosen[name] = node
        all_of[node] += 1
        kinds[kind(name), node] += 1
    return chosen


def surplus(where: Mapping[str, str], nodes: Sequence[str]) -> list[str]:
    """Which of these actors should start anew elsewhere, so that no two nodes differ by more than one: of
    the fullest node the last come. Actors on nodes that are not among `nodes` count nowhere."""
    held: dict[str, list[str]] = {node: [] for node in nodes}
    for name in sorted(where, key=_number):
        if where[name] in held:
            held[where[name]].append(name)
    counts = {node: len(names) for node, names in held.items()}
    leaving: list[str] = []
    while counts and max(counts.values()) - min(counts.values()) > 1:
        full = max(nodes, key=lambda node: (counts[node], node))
        counts[full] -= 1
        counts[min(nodes, key=lambda node: (counts[node], node))] += 1
        leaving.append(held[full].pop())
    return leaving


def _number(name: str) -> tuple[int, str]:
    digits = name.rpartition(":")[2]
    return (int(digits) if digits.isdigit() else 0, name)


def kind(name: str) -> str:
    """`shard` of `shard:3`."""
    return name.rpartition(":")[0]


async def request(cores: float) -> None:
    """Tell Ray's autoscaler that the cluster has to hold so many cores, in place of what was said before.

    Our actors ask for no CPU of their own: they must start on a full node too, at once. So this is the only
    thing that makes the autoscaler add nodes; a node with one of our actors is never idle to it. Without an
    autoscaler it changes nothing.
    """
    # Imported here: the autoscaler is large, and every shard imports this module.
    from ray.autoscaler.sdk import request_resources

    await asyncio.to_thread(request_resources, num_cpus=math.ceil(cores))
