"""One run of each server: Playhead as `bench.fleet` does it, a peer phase by phase in the same way."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.loaders import Loaders, Result
from bench.meter import Meter
from bench.peers.figures import Measured, of_fleet, of_result
from bench.peers.load import PeerOrders
from bench.peers.servers import SAVE_EVERY_MS, SERVER, Peer, PeerServer, running
from bench.plan import Mix
from bench.report import KIB, Phase
from gateway.cli.steps import Steps
from persistence.errors import PlayheadError

IDLE_S = 2.0
SETTLE_S = 41.0
LOOKED_AT = 200
"""Students whose rows are compared after the server was killed and started anew."""

END_S = 30.0


class FleetFailed(PlayheadError):
    """The fleet could not drive Playhead; its own words stand above."""


async def run_playhead(arguments: list[str], file: Path) -> Measured:
    """Run the fleet in a process of its own: Ray reads its environment once, and the meter its children."""
    command = [sys.executable, "-m", "bench.fleet", *arguments, "--json", str(file)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        code = await process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), END_S)
        raise
    try:
        return of_fleet(file)
    except FileNotFoundError:
        raise FleetFailed(f"the fleet ended with status {code} and no figures; see its words above") from None


async def run_peer(
    peer: Peer, mix: Mix, loaders: int, scratch: Path, steps: Steps, save_every_ms: int = SAVE_EVERY_MS
) -> Measured:
    """Start the peer, drive it, check it, stop it."""
    async with running(peer, mix.students, scratch / "data", steps, save_every_ms) as server:
        run = _PeerRun(server, mix, loaders, scratch, steps)
        return await run.measure()


@dataclass(slots=True)
class _PeerRun:
    server: PeerServer
    mix: Mix
    loaders: int
    scratch: Path
    steps: Steps
    phases: dict[str, Phase] = field(default_factory=dict)
    _now: str = ""

    async def measure(self) -> Measured:
        orders = [self._orders(part) for part in range(self.loaders)]
        loaders = Loaders(orders, self._on_report, "bench.peers.load")
        meter = self.server.meter()
        try:
            async with self._step("write scripts"):
                await loaders.start()
            meter.leave_out(loaders.pids)
            kib, result = await self._drive(loaders, meter)
        finally:
            await loaders.stop()
        async with self._step(f"look at {LOOKED_AT} students after kill -9"):
            await self.server.restart()
            await self._look(result)
        return of_result(self.server.peer.name, self.mix.students, self.phases, kib, result)

    async def _drive(self, loaders: Loaders, meter: Meter) -> tuple[tuple[float, float], Result]:
        memory = [meter.memory_bytes()[SERVER]]
        async with self._phase(meter, "idle", "watch the idle server"):
            await asyncio.sleep(IDLE_S)
        async with self._phase(meter, "connect", "connect"):
            await loaders.order("connect")
        memory.append(meter.memory_bytes()[SERVER])
        start_s = time.monotonic() + 0.5
        await asyncio.sleep(start_s - time.monotonic())
        async with self._phase(meter, "window", "drive"):
            await loaders.order("drive", start_s=start_s)
            await asyncio.sleep(start_s + self.mix.updates * self.mix.period_ms / 1000 - time.monotonic())
        memory.append(meter.memory_bytes()[SERVER])
        async with self._phase(meter, "tail", "wait until all is durable"):
            result = await loaders.settle(time.monotonic() + SETTLE_S, self.scratch)
        await loaders.order("leave")
        grown = [(at - memory[0]) / self.mix.students / KIB for at in memory[1:]]
        return (grown[0], grown[1]), result

    async def _look(self, result: Result) -> None:
        """What a server knows that has lost its memory must be what was said to be durable."""
        every = max(1, self.mix.students // LOOKED_AT)
        loaders = Loaders([self._orders(0, every)], lambda _: None, "bench.peers.load")
        try:
            await loaders.start()
            await loaders.order("look")
            found = await loaders.settle(time.monotonic() + 1, self.scratch)
            result.faults.kinds.update(found.faults.kinds)
            result.faults.kept += found.faults.kept
        finally:
            await loaders.stop()

    def _orders(self, part: int, every: int = 0) -> PeerOrders:
        wire, keys = self.server.peer.wire, str(self.server.keys_folder)
        if every:
            return PeerOrders(self.mix, wire, self.server.ports, keys, every=every)
        return PeerOrders(self.mix, wire, self.server.ports, keys, self.loaders, part)

    @contextlib.asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[None]:
        self._now = name
        async with self.steps.step(name):
            yield

    @contextlib.asynccontextmanager
    async def _phase(self, meter: Meter, phase: str, name: str) -> AsyncIterator[None]:
        async with self._step(name):
            before, began_s = meter.read(), time.monotonic()
            yield
            seconds = time.monotonic() - began_s
            self.phases[phase] = Phase(seconds, meter.read().since(before))

    def _on_report(self, sums: dict[str, int]) -> None:
        if self._now == "connect":
            self.steps.advance(self._now, sums["connected"] / self.mix.connections)
        elif self._now == "drive":
            self.steps.advance(self._now, sums["updates"] / self.mix.updates_in_all)
