"""One run against a running server, phase by phase: idle, connect, drive, settle, compare, leave."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import report, storm, system
from bench.checker import Faults, check_stored
from bench.load import Orders
from bench.loaders import Loaders, Result, Second
from bench.measures import Phase, Times, percentile
from bench.meter import Meter
from bench.overtime import OverTime, Sample, watched
from bench.plan import Mix, script
from bench.scale import Scaled, Wish, scale
from bench.slope import MIB, slopes
from bench.storm import Plan
from gateway.cli.steps import Steps

IDLE_S = 3.0
SETTLE_S = 41.0
"""How long the last update may take to be durable: 31 s by the contract, and a margin."""

LINE_EVERY_S = 5.0
NAMES_EVERY_S = 3.0
STATISTICS_S = 1.2
"""Postgres' backends report what they did at most once a second."""

ADDRESS_DEVICES = 200
"""Devices behind one loopback address: fewer than a gateway lets shake hands from one at once."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is made; see `fleet.py`. `soak` asks for the slope of memory."""

    loaders: int = 1
    addresses: int = 0
    connect_rate: float = 0.0
    storm: Plan | None = None
    scale: tuple[Wish, ...] = ()
    soak: bool = False


@dataclass(slots=True)
class _Costs:
    """Phases and readings as they come in."""

    phases: dict[str, Phase] = field(default_factory=dict)
    memory: dict[str, Mapping[str, int]] = field(default_factory=dict)
    transactions: dict[str, int] = field(default_factory=dict)


class Run:
    """One run of one mix against a running server."""

    def __init__(
        self, options: Options, mix: Mix, server: "system.Server", steps: Steps, scratch: Path
    ) -> None:
        self._options = options
        self._mix = mix
        self._server = server
        self._steps = steps
        self._scratch = scratch
        self._connections, self._updates = mix.connections, mix.updates_in_all
        self._costs = _Costs()
        self._storm: storm.Storm | None = None
        self._scaled: list[Scaled] = []
        self._events: list[tuple[float, str]] = []
        self._sums: dict[str, int] = {}
        self._reported = asyncio.Event()
        self._phase = ""
        self._said_s = 0.0
        self._start_s = 0.0

    async def measure(self) -> report.Figures:
        """Everything, in order."""
        how = self._options
        told = orders(self._mix, self._server, how.loaders, how.addresses, how.connect_rate)
        loaders = Loaders(told, self._on_report)
        meter = await self._server.meter()
        naming = asyncio.create_task(self._keep_names(meter))
        try:
            async with self._steps.step("write scripts"):
                await loaders.start()
            meter.leave_out(loaders.pids)
            return await self._measure(loaders, meter)
        finally:
            naming.cancel()
            await asyncio.gather(naming, return_exceptions=True)
            await loaders.stop()

    async def _measure(self, loaders: Loaders, meter: Meter) -> report.Figures:
        memory = self._costs.memory
        memory["before"] = meter.memory_bytes()
        async with watched(meter, memory_every_s=2.0 if self._options.storm else 5.0) as over:
            async with self._phase_of(meter, "watch the idle server", "idle"):
                await asyncio.sleep(IDLE_S)
            async with self._phase_of(meter, "connect", "connect"):
                await loaders.order("connect")
            memory["connected"] = meter.memory_bytes()
            await self._drive(loaders, meter, over)
            memory["end"] = meter.memory_bytes()
            load_memory = meter.load_memory_bytes()
            async with self._phase_of(meter, "wait until all is durable", "tail"):
                result = await loaders.settle(time.monotonic() + SETTLE_S, self._scratch)
        async with self._step("compare with Postgres"):
            await self._check_stored(result.faults)
        actors = await self._server.actors()
        async with self._step("say goodbye"):
            await loaders.order("leave")
        return self._figures(result, over, actors, load_memory)

    @contextlib.asynccontextmanager
    async def _phase_of(self, meter: Meter, said: str, name: str) -> AsyncIterator[None]:
        """A step whose cost is kept under a name."""
        async with self._step(said):
            before, began_s = meter.read(), time.monotonic()
            transactions = await self._server.transactions()
            yield
            seconds = time.monotonic() - began_s
            self._costs.phases[name] = Phase(seconds, meter.read().since(before))
            self._costs.transactions[name] = await self._server.transactions() - transactions

    async def _drive(self, loaders: Loaders, meter: Meter, over: OverTime) -> None:
        """The window: from the first planned update to the last, or longer if the load itself is late."""
        window_s = self._mix.updates * self._mix.period_ms / 1000
        start_s = self._start_s = time.monotonic() + 0.5
        async with self._step("drive"):
            transactions = await self._server.transactions()
            driving = asyncio.ensure_future(loaders.order("drive", start_s=start_s))
            events = asyncio.gather(self._storms(loaders, meter, over, transactions), self._scale_as_wished())
            try:
                await asyncio.sleep(start_s - time.monotonic())
                begun, begun_s = meter.read(), time.monotonic()
                await driving
                await asyncio.sleep(start_s + window_s - time.monotonic())
                seconds = time.monotonic() - begun_s
                self._costs.phases["window"] = Phase(seconds, meter.read().since(begun))
                self._costs.transactions["drive"] = await self._server.transactions() - transactions
                await events
            finally:
                driving.cancel()
                events.cancel()
                await asyncio.gather(driving, events, return_exceptions=True)

    # What happens meanwhile.

    async def _storms(self, loaders: Loaders, meter: Meter, over: OverTime, before_drive: int) -> None:
        plan = self._options.storm
        if plan is None:
            return
        await asyncio.sleep(max(self._start_s + plan.at_s - STATISTICS_S - time.monotonic(), 0))
        usual = await self._server.transactions() - before_drive
        usual_per_s = usual / max(time.monotonic() - self._start_s, 1.0)
        await asyncio.sleep(max(self._start_s + plan.at_s - time.monotonic(), 0))
        began, struck_s = meter.read(), time.monotonic()
        transactions = await self._server.transactions()
        self._happened(f"storm: {plan.kind}")
        await self._strike(plan, loaders)
        await asyncio.sleep(STATISTICS_S * 2)  # the loaders report every second
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(storm.BACK_S):
                while self._sums.get("online", 0) < self._connections:
                    self._reported.clear()
                    await self._reported.wait()
        phase = Phase(time.monotonic() - struck_s, meter.read().since(began))
        await asyncio.sleep(STATISTICS_S)
        readings = [(sample.at_s, sample.by_group) for sample in over.memory]
        before = storm.peak([pair for pair in readings if pair[0] < struck_s][-1:], report.LIVE, 0)
        self._storm = storm.Storm(
            plan=plan,
            struck_s=struck_s,
            phase=phase,
            transactions=await self._server.transactions() - transactions,
            usual_per_s=usual_per_s,
            memory_before=before,
            memory_peak=storm.peak(readings, report.LIVE, struck_s),
        )

    async def _strike(self, plan: Plan, loaders: Loaders) -> None:
        if plan.kind == "cut":
            await loaders.order("cut")
            return
        gateways = await self._server.gateway_pids()
        for pid in gateways if plan.kind == "kill-all" else gateways[:1]:
            os.kill(pid, signal.SIGKILL)

    async def _scale_as_wished(self) -> None:
        before = self._server.settings.shards.count
        for wish in self._options.scale:
            await asyncio.sleep(max(self._start_s + wish.at_s - time.monotonic(), 0))
            self._happened(f"{before} → {wish.shards} shards")
            done = await scale(self._server.running.directory, wish, before)
            self._scaled.append(done)
            self._happened(f"{done.moved} slots moved")
            before = wish.shards

    async def _keep_names(self, meter: Meter) -> None:
        """Actors that have started since belong to their groups too."""
        while True:
            await asyncio.sleep(NAMES_EVERY_S)
            meter.name(await self._server.named())

    def _happened(self, what: str) -> None:
        self._events.append((time.monotonic() - self._start_s, what))

    async def _check_stored(self, faults: Faults) -> None:
        async for number, found in system.stored(self._server.postgres, self._mix):
            check_stored(script(self._mix, number), found, faults)

    # What is said of it.

    def _figures(
        self, result: Result, over: OverTime, actors: dict[str, Any], load_memory: int
    ) -> report.Figures:
        settings, costs = self._server.settings, self._costs
        if self._options.scale and self._storm is None:
            for code, count in result.closes.items():
                result.faults.add(
                    "closed socket", "the fleet", f"{count} closes with {code} while slots moved"
                )
        times = {name: Times.of(ordered) for name, ordered in result.times.items() if name != "back"}
        back = None
        if self._storm is not None:
            back = storm.Return.of(result.lost, result.times["back"], self._storm.struck_s)
        end_s = self._start_s + costs.phases["window"].seconds
        return report.Figures(
            seed=self._mix.seed,
            students=self._mix.students,
            rate=1000 / self._mix.period_ms,
            load=_in_words(self._mix),
            shards=settings.shards.count,
            gateways=settings.sockets.count,
            loaders=self._options.loaders,
            connections=result.connected,
            updates=result.updates,
            times=times,
            costs=report.Costs(
                **costs.phases,
                memory_before=costs.memory["before"],
                memory_connected=costs.memory["connected"],
                memory_end=costs.memory["end"],
            ),
            load_cpu_s=result.cpu_s,
            load_memory=load_memory,
            frames_in=result.frames_in,
            bytes_in=result.bytes_in,
            older_heads=result.older_heads,
            closes=dict(result.closes),
            postponed=result.postponed,
            reconnects=result.attempts,
            turned_away=result.turned_away,
            transactions=costs.transactions,
            over_time=self._over_time(result, over),
            slopes=slopes(over.memory, self._start_s, end_s) if self._options.soak else (),
            storm=self._storm,
            back=back,
            scaled=self._scaled,
            faults=result.faults,
            actors=actors,
        )

    def _over_time(self, result: Result, over: OverTime) -> dict[str, Any]:
        """Plain rows, `s` from the first planned update."""
        return {
            "seconds": [_second(number + 0.5, second) for number, second in enumerate(result.seconds)],
            "cores": [self._row(sample, 1, 3) for sample in over.cores],
            "memory_mib": [self._row(sample, MIB, 1) for sample in over.memory],
            "events": [{"s": round(at_s, 2), "what": what} for at_s, what in self._events],
        }

    def _row(self, sample: Sample, unit: float, digits: int) -> dict[str, float]:
        values = {group: round(value / unit, digits) for group, value in sample.by_group.items()}
        return {"s": round(sample.at_s - self._start_s, 2), **values}

    def _step(self, name: str) -> contextlib.AbstractAsyncContextManager[None]:
        self._phase = name
        return self._steps.step(name)

    def _on_report(self, sums: dict[str, int]) -> None:
        """What the loaders report every second: a bar on a terminal, else a line now and then."""
        self._sums = sums
        self._reported.set()
        if self._phase == "connect":
            self._steps.advance(self._phase, sums["connected"] / self._connections)
        elif self._phase == "drive":
            self._steps.advance(self._phase, sums["updates"] / self._updates)
        now_s = time.monotonic()
        if not self._steps.console.is_terminal and now_s - self._said_s > LINE_EVERY_S:
            self._said_s = now_s
            said = ", ".join(f"{count} {name}" for name, count in sums.items())
            self._steps.console.print(f"    {self._phase}: {said}", soft_wrap=True)


def orders(
    mix: Mix, server: "system.Server", loaders: int, addresses: int, connect_rate: float
) -> list[Orders]:
    """What each loader is told. `addresses` 0: one for every 200 devices."""
    count = addresses or -(-mix.connections // ADDRESS_DEVICES)
    sources = tuple(f"127.0.{n // 250}.{n % 250 + 1}" for n in range(count))
    url, keys, rate = server.url, str(server.keys_folder), connect_rate / loaders
    return [Orders(mix, url, sources, keys, loaders, part, rate) for part in range(loaders)]


def _second(middle_s: float, second: Second) -> dict[str, float | None]:
    row: dict[str, float | None] = {"s": middle_s, "updates": len(second.late)}
    for name, times, shares in (
        ("ack", second.ack, (50, 99)),
        ("push", second.push, (50, 99)),
        ("late", second.late, (99,)),
    ):
        ordered = sorted(times)
        for share in shares:
            row[f"{name}_p{share}_ms"] = (
                round(1000 * percentile(ordered, share / 100), 2) if ordered else None
            )
    return row


def _in_words(mix: Mix) -> str:
    several = [
        f"{100 * share:g} % with {count} devices" for count, share in ((2, mix.two), (3, mix.three)) if share
    ]
    skewed = ["1 % making 20 % of the updates"] if mix.skew else []
    return "".join(f", {said}" for said in (*several, *skewed))
