"""`python -m bench.fleet`: drives the real server with a fleet of students, checks every answer, measures.

The server is started here, on a data folder of its own; the load comes from processes of its own.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bench import report
from bench.checker import Faults, check_stored
from bench.loader import Orders
from bench.loaders import Loaders, Result
from bench.meter import Meter
from bench.plan import Mix, script
from gateway import ray_environment
from gateway.cli.steps import Steps
from persistence.errors import PlayheadError, SetupError

if TYPE_CHECKING:
    from bench.system import Server

IDLE_S = 3.0
SETTLE_S = 41.0
"""How long the last update may take to be durable: 31 s by the contract, and a margin."""

LINE_EVERY_S = 5.0

ADDRESS_DEVICES = 200
"""Devices behind one loopback address: fewer than a gateway lets shake hands from one at once."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fleet; exit status 1 if anything was wrong or lost."""
    options = _parser().parse_args(arguments)
    try:
        mix = _mix(options)
        figures = asyncio.run(_run(options, mix))
    except PlayheadError as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    report.show(figures, console)
    if options.json is not None:
        options.json.write_text(json.dumps(figures.plain(), indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text(report.markdown(figures) + "\n")
    return 1 if figures.faults.total else 0


def _mix(options: argparse.Namespace) -> Mix:
    period_ms = round(1000 / options.rate)
    mix = Mix(
        seed=options.seed,
        students=options.students,
        updates=round(options.seconds * 1000 / period_ms),
        period_ms=period_ms,
        play_updates=options.play,
        tag=f"fleet{int(time.time()):x}",
        two=options.two / 100,
        three=options.three / 100,
        skew=options.skew,
    )
    mix.check()
    # The kernel spreads connections over the gateways by chance, so one of them has somewhat more.
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    for what, count, slack in (("gateways", options.gateways, 1.05), ("loaders", options.loaders, 1.0)):
        needed = round(mix.connections / count * slack) + 512
        if needed > allowed:
            raise SetupError(f"{needed} sockets in one process, but only {allowed} are allowed; add --{what}")
    return mix


async def _run(options: argparse.Namespace, mix: Mix) -> report.Figures:
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="playhead-fleet-")))
        folder = (options.data or scratch / "data").absolute()
        steps = stack.enter_context(Steps())
        ray_environment.prepare(folder / "ray.token", loopback=True)
        from bench import system  # Ray reads its environment when it is first imported

        async with system.running(folder, options.shards, options.gateways, steps.done) as server:
            _end_on_signals()
            async with steps.step("register and enrol students"):
                await system.register(server.postgres, mix)
            return await _Run(options, mix, server, steps, scratch).measure()


def _end_on_signals() -> None:
    """Unwind on Ctrl-C and SIGTERM. Called once Ray is joined, which takes these signals for itself."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


class _Run:
    """One run against a running server, phase by phase."""

    def __init__(
        self, options: argparse.Namespace, mix: Mix, server: "Server", steps: Steps, scratch: Path
    ) -> None:
        self._options = options
        self._mix = mix
        self._server = server
        self._steps = steps
        self._scratch = scratch
        self._connections, self._updates = mix.connections, mix.updates_in_all
        self._phase = ""
        self._said_s = 0.0

    async def measure(self) -> report.Figures:
        """Everything, in order."""
        loaders = Loaders(self._orders(), self._on_report)
        meter = await self._server.meter()
        try:
            async with self._steps.step("write scripts"):
                await loaders.start()
            meter.leave_out(loaders.pids)
            return await self._measure(loaders, meter)
        finally:
            await loaders.stop()

    async def _measure(self, loaders: Loaders, meter: Meter) -> report.Figures:
        memory_before = meter.memory_bytes()
        async with self._phase_of(meter, "watch the idle server") as idle:
            await asyncio.sleep(IDLE_S)
        async with self._phase_of(meter, "connect") as connect:
            await loaders.order("connect")
        memory_connected = meter.memory_bytes()
        window = await self._drive(loaders, meter)
        memory_end = meter.memory_bytes()
        async with self._phase_of(meter, "wait until all is durable") as tail:
            result = await loaders.settle(time.monotonic() + SETTLE_S, self._scratch)
        async with self._step("compare with Postgres"):
            await self._check_stored(result.faults)
        actors = await self._server.actors()
        await loaders.order("leave")
        costs = report.Costs(
            idle=idle[0],
            connect=connect[0],
            window=window,
            tail=tail[0],
            memory_before=memory_before,
            memory_connected=memory_connected,
            memory_end=memory_end,
        )
        return self._figures(result, costs, actors)

    @contextlib.asynccontextmanager
    async def _phase_of(self, meter: Meter, name: str) -> AsyncIterator[list[report.Phase]]:
        """A step that is measured: the list has the phase when it has ended."""
        found: list[report.Phase] = []
        async with self._step(name):
            before, began_s = meter.read(), time.monotonic()
            yield found
            seconds = time.monotonic() - began_s
            found.append(report.Phase(seconds, meter.read().since(before)))

    async def _drive(self, loaders: Loaders, meter: Meter) -> report.Phase:
        """The window: from the first planned update to the last, or longer if the load itself is late."""
        window_s = self._mix.updates * self._mix.period_ms / 1000
        start_s = time.monotonic() + 0.5
        async with self._step("drive"):
            driving = asyncio.create_task(loaders.order("drive", start_s=start_s))
            try:
                await asyncio.sleep(start_s - time.monotonic())
                begun, begun_s = meter.read(), time.monotonic()
                await driving
                await asyncio.sleep(start_s + window_s - time.monotonic())
                seconds = time.monotonic() - begun_s
                return report.Phase(seconds, meter.read().since(begun))
            finally:
                driving.cancel()

    async def _check_stored(self, faults: Faults) -> None:
        from bench.system import stored

        async for number, found in stored(self._server.postgres, self._mix):
            check_stored(script(self._mix, number), found, faults)

    def _figures(self, result: Result, costs: report.Costs, actors: dict[str, Any]) -> report.Figures:
        settings = self._server.settings
        return report.Figures(
            seed=self._mix.seed,
            students=self._mix.students,
            rate=1000 / self._mix.period_ms,
            shards=settings.shards.count,
            gateways=settings.sockets.count,
            loaders=self._options.loaders,
            connections=result.connected,
            updates=result.updates,
            times={name: report.Times.of(ordered) for name, ordered in result.times.items()},
            costs=costs,
            load_cpu_s=result.cpu_s,
            frames_in=result.frames_in,
            bytes_in=result.bytes_in,
            older_heads=result.older_heads,
            closes=dict(result.closes),
            faults=result.faults,
            actors=actors,
        )

    def _orders(self) -> list[Orders]:
        count = self._options.addresses or -(-self._mix.connections // ADDRESS_DEVICES)
        sources = tuple(f"127.0.{n // 250}.{n % 250 + 1}" for n in range(count))
        url, keys = self._server.url, str(self._server.keys_folder)
        loaders = self._options.loaders
        rate = self._options.connect_rate / loaders
        return [Orders(self._mix, url, sources, keys, loaders, part, rate) for part in range(loaders)]

    def _step(self, name: str) -> contextlib.AbstractAsyncContextManager[None]:
        self._phase = name
        return self._steps.step(name)

    def _on_report(self, sums: dict[str, int]) -> None:
        """What the loaders report every second: a bar on a terminal, else a line now and then."""
        if self._phase == "connect":
            self._steps.advance(self._phase, sums["connected"] / self._connections)
        elif self._phase == "drive":
            self._steps.advance(self._phase, sums["updates"] / self._updates)
        now_s = time.monotonic()
        if not self._steps.console.is_terminal and now_s - self._said_s > LINE_EVERY_S:
            self._said_s = now_s
            said = ", ".join(f"{count} {name}" for name, count in sums.items())
            self._steps.console.print(f"    {self._phase}: {said}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench.fleet", description=__doc__)
    parser.add_argument("--students", type=int, default=2000, metavar="N", help="how many (2000)")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of steady load (20)")
    parser.add_argument("--rate", type=float, default=1.0, metavar="R", help="updates per student and s (1)")
    parser.add_argument(
        "--play", type=int, default=10, metavar="N", help="updates between pauses or seeks (10)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all scripts (1)")
    parser.add_argument("--shards", type=int, default=2, metavar="N", help="shard processes (2)")
    parser.add_argument("--gateways", type=int, default=1, metavar="N", help="socket gateways (1)")
    parser.add_argument("--loaders", type=int, default=1, metavar="N", help="processes of the load (1)")
    parser.add_argument(
        "--addresses", type=int, default=0, metavar="N", help="loopback addresses (one for 200 devices)"
    )
    parser.add_argument(
        "--connect-rate",
        type=float,
        default=1500,
        metavar="R",
        help="connections a second, 0 no limit (1500)",
    )
    parser.add_argument(
        "--two", type=float, default=10, metavar="P", help="%% of students with 2 devices (10)"
    )
    parser.add_argument("--three", type=float, default=0, metavar="P", help="%% with 3 devices (0)")
    parser.add_argument("--skew", action="store_true", help="1 %% of the students make 20 %% of the updates")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="keep the data here (a temporary folder)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as in bench/README.md")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
