"""A loader: one process with its part of the fleet.

It obeys lines of JSON on its standard input and answers with lines of JSON (see `loaders.py`, which starts
it); the end of the input ends it. Run by hand it is of no use.
"""

import asyncio
import contextlib
import gc
import json
import sys
from pathlib import Path
from typing import Any

import msgpack
import uvloop

from bench.load import Loader, Orders


def _write(path: Path, loader: Loader) -> None:
    path.write_bytes(msgpack.packb(loader.result()))


def _tell(**said: Any) -> None:
    print(json.dumps(said), flush=True)


async def _report(loader: Loader) -> None:
    while True:
        await asyncio.sleep(1.0)
        _tell(**loader.figures())


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


def _spare_the_collector() -> None:
    """What is there stays: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


async def _obey(orders: Orders) -> None:
    loader = Loader(orders)
    _spare_the_collector()
    lines = await _lines()
    aside = [asyncio.create_task(_report(loader)), asyncio.create_task(loader.keep_alive())]
    driving: asyncio.Task[None] | None = None
    _tell(done="start")
    try:
        while line := await lines.readline():
            order = json.loads(line)
            done = order["do"]
            if done == "connect":
                await loader.connect()
                loader.count_anew()
                _spare_the_collector()
            elif done == "drive":
                # Storms are ordered meanwhile.
                driving = asyncio.create_task(loader.drive(order["start_s"]))
                driving.add_done_callback(lambda _: _tell(done="drive"))
                continue
            elif done == "cut":
                loader.cut()
            elif done == "settle":
                if driving is not None:
                    await driving
                await loader.settle(order["until_s"])
                _write(Path(order["file"]), loader)
            elif done == "leave":
                await loader.leave()
            _tell(done=done)
    finally:
        for task in (*aside, *([driving] if driving else [])):
            task.cancel()
        await asyncio.gather(*aside, return_exceptions=True)


if __name__ == "__main__":
    # Ctrl-C reaches the whole group; and who started this may be gone already.
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        uvloop.run(_obey(Orders.read(sys.argv[1])))
