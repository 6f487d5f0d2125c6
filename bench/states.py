"""`python -m bench.states`: what a student costs in memory, idle, playing and gone: of the real system.

Connects students who do nothing, lets them play, says goodbye, and waits until their sessions have left
memory; after each step it reads the resident memory (PSS) of all processes. Then all come again: what was
let go and not given back to the system is used anew.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import fleet
from bench.checker import Faults
from bench.loaders import Loaders
from bench.meter import Meter
from bench.plan import Mix
from gateway import ray_environment
from gateway.cli.steps import Steps
from persistence.errors import PlayheadError

EVICTION_S = 5.0
EVICTED_S = 60.0
SETTLE_S = 41.0
CALM_S = 3.0
KIB = 1024
LIVE = ("socket gateways", "shards")


@dataclass(frozen=True, slots=True)
class State:
    """KiB a student of gateways and of shards, above what they had before anybody came."""

    name: str
    gateways_kib: float
    shards_kib: float
    postgres_kib: float

    @property
    def live_kib(self) -> float:
        """Of gateways and shards."""
        return self.gateways_kib + self.shards_kib


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; exit status 1 if an answer was wrong or a session never left."""
    parser = fleet.parser()
    parser.description = __doc__
    parser.set_defaults(students=10_000, rate=0.1, seconds=70, two=0, gateways=1, loaders=2)
    options = parser.parse_args(arguments)
    try:
        states, faults = asyncio.run(_run(options, fleet.mix_of(options)))
    except PlayheadError as error:
        print(f"states: {error}", file=sys.stderr)
        return 2
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    console.print(_table(states, options.students))
    for fault in faults.kept:
        console.print(f"[red]wrong:[/] {fault}", soft_wrap=True)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(state) for state in states], indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text(markdown(states) + "\n")
    return 1 if faults.total else 0


async def _run(options: argparse.Namespace, mix: Mix) -> tuple[list[State], Faults]:
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="playhead-states-")))
        steps = stack.enter_context(Steps())
        ray_environment.prepare(scratch / "ray.token", loopback=True)
        from bench import system  # Ray reads its environment when it is first imported
        from bench.run import orders

        more = {"shards.idle_eviction_s": EVICTION_S}
        async with system.running(
            scratch / "data", options.shards, options.gateways, steps.done, more
        ) as server:
            await system.register(server.postgres, mix)
            told = orders(mix, server, options.loaders, options.addresses, fleet.connect_rate(options))
            loaders = Loaders(told, lambda _: None)
            meter = await server.meter()
            try:
                await loaders.start()
                meter.leave_out(loaders.pids)
                return await _States(server, loaders, meter, steps, scratch).measure(mix)
            finally:
                await loaders.stop()


class _States:
    """The steps of one measurement."""

    def __init__(self, server: Any, loaders: Loaders, meter: Meter, steps: Steps, scratch: Path) -> None:
        self._server = server
        self._loaders = loaders
        self._meter = meter
        self._steps = steps
        self._scratch = scratch
        self._before: Mapping[str, int] = {}

    async def measure(self, mix: Mix) -> tuple[list[State], Faults]:
        """Idle, playing, at rest (all durable, still connected), gone, evicted, here again."""
        self._before = self._meter.memory_bytes()
        loaders, steps, states = self._loaders, self._steps, []
        async with steps.step("connect"):
            await loaders.order("connect")
        states.append(await self._read("connected, idle", mix))
        async with steps.step("play"):
            await loaders.order("drive", start_s=time.monotonic() + 0.5)
            states.append(await self._read("playing", mix, calm_s=0))
        async with steps.step("wait until all is durable"):
            result = await loaders.settle(time.monotonic() + SETTLE_S, self._scratch)
        states.append(await self._read("connected, all durable", mix))
        async with steps.step("say goodbye"):
            await loaders.order("leave")
        states.append(await self._read("gone, still in memory", mix, calm_s=1))
        async with steps.step("wait until sessions have left memory"):
            left = await self._until_evicted()
        if left:
            result.faults.add("not evicted", "the shards", f"{left} sessions are still in memory")
        states.append(await self._read("evicted", mix))
        async with steps.step("connect again"):
            await loaders.order("connect")
        states.append(await self._read("connected again, idle", mix))
        return states, result.faults

    async def _until_evicted(self) -> int:
        """Sessions that are left when none leaves any more, at most `EVICTED_S` from now."""
        end_s = time.monotonic() + EVICTED_S
        while True:
            actors = await self._server.actors()
            left = sum(actor.get("sessions", 0) for actor in actors.values())
            if not left or time.monotonic() > end_s:
                return int(left)
            await asyncio.sleep(1.0)

    async def _read(self, name: str, mix: Mix, calm_s: float = CALM_S) -> State:
        await asyncio.sleep(calm_s)
        now = self._meter.memory_bytes()

        def kib(group: str) -> float:
            return (now.get(group, 0) - self._before.get(group, 0)) / mix.students / KIB

        return State(name, *(round(kib(group), 2) for group in (*LIVE, "Postgres")))


COLUMNS = ("state", "gateways and shards", "gateways", "shards", "Postgres")


def rows(states: Sequence[State]) -> list[tuple[str, ...]]:
    """One row per state, in KiB a student."""
    return [
        (
            state.name,
            *(
                f"{kib:.1f} KiB"
                for kib in (state.live_kib, state.gateways_kib, state.shards_kib, state.postgres_kib)
            ),
        )
        for state in states
    ]


def markdown(states: Sequence[State]) -> str:
    """The table for the README."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [COLUMNS, ("---",) * len(COLUMNS), *rows(states)])


def _table(states: Sequence[State], students: int) -> Table:
    table = Table(title=f"memory (PSS) a student, {students} students, above that of the empty system")
    for column in COLUMNS:
        table.add_column(column)
    for row in rows(states):
        table.add_row(*row)
    return table


if __name__ == "__main__":
    sys.exit(main())
