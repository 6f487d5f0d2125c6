"""Orders of delivery that must not matter, drawn from a seed (`--shuffle-delivery`)."""

import random
from collections.abc import Sequence
from typing import TypeVar

WINDOW = 200
"""Entries are moved within windows of this size: a server keeps 512 a device that wait for an earlier one
(P22), and no network shuffles a month."""

CHUNK = (1, 40)
"""Entries in one message of a shuffled journal: from, to."""

T = TypeVar("T")


class Shuffle:
    """Deterministic per seed and file; without a seed everything stays in order."""

    def __init__(self, seed: int | None, name: str) -> None:
        self.on = seed is not None
        self._random = random.Random(f"{seed}:{name}")

    def order(self, entries: Sequence[T]) -> list[T]:
        """The entries of a journal on their way up, in another order."""
        if not self.on:
            return list(entries)
        mixed: list[T] = []
        for start in range(0, len(entries), WINDOW):
            window = list(entries[start : start + WINDOW])
            self._random.shuffle(window)
            mixed += window
        return mixed

    def chunk(self, most: int) -> int:
        """How many entries the next message has."""
        return min(most, self._random.randint(*CHUNK)) if self.on else most

    def devices(self, names: Sequence[T]) -> list[T]:
        """Devices that come up at the same instant, in another order."""
        mixed = list(names)
        if self.on:
            self._random.shuffle(mixed)
        return mixed
