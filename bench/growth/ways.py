"""Three ways to give slots to shards: ours, plain rendezvous hashing, a consistent ring."""

from abc import ABC, abstractmethod
from bisect import bisect
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from actors.core.placement import place
from bench.growth.students import Crowd

RING_POINTS = 128
"""Points of a shard on the ring; more points spread better and cost memory."""

Words = npt.NDArray[np.uint64]


class Way(ABC):
    """Keeps the owner of each slot, by slot number, while shards (numbers) come and go."""

    title: str

    def __init__(self, crowd: Crowd, shards: Sequence[int]) -> None:
        self.crowd = crowd
        self.slots = len(crowd.sessions)
        self.owners: list[int] = []
        self.change(shards)

    @abstractmethod
    def change(self, shards: Sequence[int]) -> None:
        """From now on there are these shards."""


class Placed(Way):
    """`actors.core.placement.place`, which weighs slots by their sessions."""

    title = "place (ours)"

    def change(self, shards: Sequence[int]) -> None:
        former = [f"shard:{owner}" for owner in self.owners] or None
        names = [f"shard:{number}" for number in shards]
        owners = place(names, former, self.crowd.sessions, self.slots)
        self.owners = [int(owner.removeprefix("shard:")) for owner in owners]


class Rendezvous(Way):
    """The shard with the highest weight for the slot."""

    title = "rendezvous"

    def change(self, shards: Sequence[int]) -> None:
        numbers = np.array(sorted(shards), dtype=np.uint64)
        best = np.empty(self.slots, dtype=np.int64)
        for start in range(0, self.slots, 1024):
            slots = np.arange(start, min(start + 1024, self.slots), dtype=np.uint64)
            weights = mix(mix(slots)[:, None] ^ mix(numbers + np.uint64(1 << 32))[None, :])
            best[start : start + len(slots)] = weights.argmax(axis=1)
        self.owners = [int(numbers[index]) for index in best]


class Ring(Way):
    """The shard of the next point on a ring of hashes."""

    title = "ring, 128 points"

    def change(self, shards: Sequence[int]) -> None:
        keys = np.array([(number << 16) + point for number in shards for point in range(RING_POINTS)])
        points = mix(mix(keys.astype(np.uint64)))
        order = points.argsort()
        ring, owners = points[order].tolist(), (keys[order] >> 16).tolist()
        at = mix(np.arange(self.slots, dtype=np.uint64) + np.uint64(1 << 40)).tolist()
        self.owners = [owners[bisect(ring, point) % len(ring)] for point in at]


WAYS: tuple[type[Way], ...] = (Placed, Rendezvous, Ring)


def mix(words: Words) -> Words:
    """A hash of 64-bit words (splitmix64)."""
    with np.errstate(over="ignore"):
        words = words + np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
