"""Loads that many ask for at once: one at a time, and whoever waits meanwhile is taken along by the next."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice


class Together:
    """Calls `load` with at most `most` ids at a time, in the order in which they were asked for.

    So after the death of a gateway or a shard Postgres hears of thousands of students in tens of queries,
    none of which takes long, and not in one for every batch that names some of them.
    """

    def __init__(self, load: Callable[[list[str]], Awaitable[None]], most: int) -> None:
        self._load = load
        self._most = most
        self._waiting: dict[str, None] = {}
        self._turn = asyncio.Lock()

    async def __call__(self, ids: Iterable[str]) -> None:
        """Returns when these ids have been loaded, or their load has failed."""
        asked = list(ids)
        self._waiting.update(dict.fromkeys(asked))
        async with self._turn:
            while not self._waiting.keys().isdisjoint(asked):
                some = list(islice(self._waiting, self._most))
                for one in some:
                    del self._waiting[one]
                await self._load(some)
