"""Named Ray actors: how Playhead's are created and found. The names read as a map of the system.

`directory`, `shard:0`, `gateway:socket:0`, `gateway:web:0`, all in the namespace `playhead`.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util import list_named_actors

from actors.nodes import on
from actors.settings import NAMESPACE

END_S = 2.0
"""How long `end` waits for names to become free."""


@dataclass(frozen=True, slots=True)
class ActorSpec:
    """A named actor to be: class and constructor arguments."""

    name: str
    kind: type
    arguments: tuple[Any, ...]


def create(spec: ActorSpec, node: str = "") -> Any:
    """The actor of that name, created if there is none, on this Ray node if that lives. It outlives whoever
    created it, a killed directory too, until `end`. Ray restarts it for ever and repeats no call: a call that
    failed may have run, and repeating is the business of sequence numbers."""
    return (
        ray.remote(spec.kind)
        .options(
            name=spec.name,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            # Ray takes no notice of the node for an actor that needs nothing at all (measured, 2.60): a byte.
            memory=1,
            max_restarts=-1,
            max_task_retries=0,
            max_concurrency=64,
            max_pending_calls=1024,
            scheduling_strategy=on(node) if node else None,
        )
        .remote(*spec.arguments)
    )


async def names(prefix: str) -> list[str]:
    """Names of all of our actors that begin so, in the order of their numbers."""
    found = await asyncio.to_thread(list_named_actors)
    ours = (name for name in found if name.startswith(prefix) and name[len(prefix) :].isdigit())
    return sorted(ours, key=number)


def number(name: str) -> int:
    """The number at the end of an actor's name."""
    return int(name.rpartition(":")[2])


async def named_actor(name: str) -> Any:
    """The handle of a named actor. The look-up asks Ray's control plane, so keep what you get.

    Raises `ValueError` if there is none.
    """
    return await asyncio.to_thread(ray.get_actor, name, NAMESPACE)


async def end(*names: str) -> None:
    """End these actors for good; returns when their names are free again, after `END_S` in any case.

    A name nobody has is no error.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END_S):
            await asyncio.gather(*(_end(name) for name in names))


async def _end(name: str) -> None:
    with contextlib.suppress(ValueError, RayError):
        while True:
            ray.kill(await named_actor(name), no_restart=True)
            await asyncio.sleep(0.02)
