"""Start and end of the actors: what does not start is said in a sentence, and nobody stays behind."""

import asyncio
import os

import pytest

from actors.directory import Directory, Plan
from actors.named import ActorSpec, create, named_actor
from actors.settings import ShardSettings
from actors.shard import Shard
from gateway import wiring
from gateway.cluster import Cluster
from persistence.errors import SetupError


def never(number: int) -> ActorSpec:
    """A shard that is in the plan and is never created."""
    name = f"shard:never:{number}"
    return ActorSpec(name, Shard, (name, ShardSettings(postgres_dsn="postgresql://nobody")))


PLAN = Plan(shard=never, gateway=never, others=(), shards=1, gateways=0, postgres_dsn="postgresql://nobody")


class Late(Directory):
    """A directory whose actors are not ready before its deadline."""

    async def start(self) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()


class Dying(Directory):
    """A directory that dies while it starts."""

    async def start(self) -> None:
        os._exit(1)


class Refused(Directory):
    """A directory one of whose gateways finds its port taken."""

    async def start(self) -> None:
        raise SetupError("port 1 is taken; choose another")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Late, "the actors did not start in time; see on the Ray dashboard"),
        (Dying, "the actors did not start ("),
        (Refused, "port 1 is taken; choose another"),
    ],
)
async def test_what_does_not_start_says_why_and_leaves_nobody(
    ray_cluster: Cluster, kind: type, says: str
) -> None:
    name = f"directory:{kind.__name__}"
    with pytest.raises(SetupError) as refusal:
        await wiring.start(ActorSpec(name, kind, (PLAN,)))
    assert str(refusal.value).startswith(says)
    assert "\n" not in str(refusal.value)
    with pytest.raises(ValueError, match=name):
        await named_actor(name)


async def test_drain_of_a_directory_that_is_half_started_or_not_there_is_false(ray_cluster: Cluster) -> None:
    spec = ActorSpec("directory:half", Directory, (PLAN,))
    system = wiring.System(create(spec), (spec.name, never(0).name))
    assert await system.drain() is False
    with pytest.raises(ValueError, match=spec.name):
        await named_actor(spec.name)
    assert await system.drain() is False
