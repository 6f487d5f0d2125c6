"""The visitors of the catalogue: one process that asks at planned times, whatever the answers take.

`bench.browse` starts it with a file of orders; it says `ready`, reads the time to begin at,
and writes what it
measured. Run by hand it is of no use.
"""

import asyncio
import contextlib
import gc
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop

CONNECTIONS = 64
TIMEOUT_S = 10.0


class Orders(msgspec.Struct, frozen=True):
    """What to ask: `warm_up` before the start, `visits` (kind, token, path) at `per_second`."""

    url: str
    per_second: float
    warm_up: list[tuple[str, str, str]]
    visits: list[tuple[str, str, str]]


class Asked(msgspec.Struct, frozen=True):
    """One answered visit. Times in s: planned (monotonic), how late it was sent, from planned to answered."""

    kind: str
    planned_s: float
    late_s: float
    took_s: float
    status: int


class Visitors:
    """Asks what was ordered and keeps what it took."""

    def __init__(self, orders: Orders, session: aiohttp.ClientSession) -> None:
        self._orders = orders
        self._session = session
        self.asked: list[Asked] = []

    async def warm_up(self) -> None:
        """One after the other, not measured."""
        for _, token, path in self._orders.warm_up:
            await self._ask(token, path)

    async def run(self, start_s: float) -> None:
        """An open loop: each at its time."""
        async with asyncio.TaskGroup() as group:
            for number, (kind, token, path) in enumerate(self._orders.visits):
                planned_s = start_s + number / self._orders.per_second
                if (wait_s := planned_s - time.monotonic()) > 0:
                    await asyncio.sleep(wait_s)
                group.create_task(self._measure(kind, token, path, planned_s))

    async def _measure(self, kind: str, token: str, path: str, planned_s: float) -> None:
        late_s = time.monotonic() - planned_s
        status = 0
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            status = await self._ask(token, path)
        self.asked.append(Asked(kind, planned_s, late_s, time.monotonic() - planned_s, status))

    async def _ask(self, token: str, path: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.get(self._orders.url + path, headers=headers) as response:
            await response.read()
            return response.status


async def main(orders: Orders) -> list[Asked]:
    """Obey; nothing is asked when there is no time to begin at."""
    gc.freeze()
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        visitors = Visitors(orders, session)
        await visitors.warm_up()
        print("ready", flush=True)
        start: Any = await asyncio.to_thread(sys.stdin.readline)
        if start:
            await visitors.run(float(start))
    return visitors.asked


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        asked = uvloop.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders)))
        Path(sys.argv[2]).write_bytes(msgspec.json.encode(asked))
