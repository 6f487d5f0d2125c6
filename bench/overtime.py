"""CPU and memory over time: readings of the meter taken while the run goes on."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from bench.meter import Meter

CPU_EVERY_S = 1.0
MEMORY_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of each group at a monotonic time in s: cores in use since the sample before, or bytes."""

    at_s: float
    by_group: Mapping[str, float]


@dataclass(slots=True)
class OverTime:
    """What was read so far."""

    cores: list[Sample] = field(default_factory=list)
    memory: list[Sample] = field(default_factory=list)


@contextlib.asynccontextmanager
async def watched(
    meter: Meter, cpu_every_s: float = CPU_EVERY_S, memory_every_s: float = MEMORY_EVERY_S
) -> AsyncIterator[OverTime]:
    """Read while the block runs. A reading of CPU costs some ms, one of memory tens of ms, mostly kernel."""
    found = OverTime()
    tasks = [
        asyncio.create_task(_cores(meter, found, cpu_every_s)),
        asyncio.create_task(_memory(meter, found, memory_every_s)),
    ]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _cores(meter: Meter, found: OverTime, every_s: float) -> None:
    before, before_s = await asyncio.to_thread(meter.read), time.monotonic()
    while True:
        await asyncio.sleep(every_s)
        now, now_s = await asyncio.to_thread(meter.read), time.monotonic()
        # A process that has ended and was not awaited by its parent yet is missing for a moment.
        spent_s = now.spent_since(before)
        cores = {group: max(cpu_s, 0.0) / (now_s - before_s) for group, cpu_s in spent_s.items()}
        found.cores.append(Sample(now_s, cores))
        before, before_s = now, now_s


async def _memory(meter: Meter, found: OverTime, every_s: float) -> None:
    while True:
        memory = await asyncio.to_thread(meter.memory_bytes)
        found.memory.append(Sample(time.monotonic(), memory))
        await asyncio.sleep(every_s)
