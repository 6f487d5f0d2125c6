"""`python -m bench.browse`: search, completion and course pages at 200 requests/s beside 5,000 students.

The real server on the data folder of `bench.dataset`. One run has three parts: the fleet alone, the fleet
with visitors of the catalogue, the fleet alone again. Exit status 1 if an answer was wrong.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from bench import fleet
from bench.checker import Faults, check_stored
from bench.loaders import Loaders, Result
from bench.measures import Times
from bench.meter import Meter, Reading
from bench.plan import Mix, script
from bench.visitor import Asked, Orders
from bench.visits import Plan, Visit, pool
from gateway import ray_environment
from gateway.cli.steps import Steps
from gateway.keys import open_keys
from gateway.tokens import TokenIssuer
from persistence.errors import PlayheadError, SetupError, StoreUnavailable

if TYPE_CHECKING:
    from bench.system import Server

CALM_S = 10.0
"""After the connect, before the first part: the fleet settles."""

SETTLE_S = 41.0
TOKEN_S = 4 * 3600
END_S = 5.0

GOALS_MS = {
    **{"search cold": 50, "search warm": 50},
    **{"page warm": 20, "page cold": 60, "outline warm": 20, "outline cold": 60},
}
ACK_GOAL = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the run: the fleet's acks, and cores by group of processes."""

    name: str
    ack: Times
    cores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run found; `visits` by kind."""

    parts: Sequence[Part]
    visits: Mapping[str, Times]
    late: Times
    statuses: Mapping[int, int]
    updates: int
    hit_rates: Mapping[str, float]
    faults: Faults
    seconds: Sequence[Times] = ()

    @property
    def ack_ratio(self) -> float:
        """p99 of the ack with visitors, to the mean of the parts without."""
        alone = [part.ack.p99_s for part in self.parts if part.name != "browsing"]
        with_them = next(part.ack.p99_s for part in self.parts if part.name == "browsing")
        return with_them * len(alone) / sum(alone)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = parser().parse_args(arguments)
    options.seconds = CALM_S + 3 * options.part
    try:
        if options.data is None:
            raise SetupError("name the folder in which `python -m bench.dataset --data FOLDER` wrote")
        mix = fleet.mix_of(options)
        figures = asyncio.run(run(options, mix))
    except PlayheadError as error:
        print(f"browse: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    show(figures, Console(highlight=False, width=None if sys.stdout.isatty() else 120))
    if options.json is not None:
        plain = asdict(figures) | {"faults": figures.faults.plain(), "ack_ratio": figures.ack_ratio}
        options.json.write_text(json.dumps(plain, indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text(markdown(figures) + "\n")
    return 1 if figures.faults.total or set(figures.statuses) != {200} else 0


async def run(options: argparse.Namespace, mix: Mix) -> Figures:
    """Start the server on the dataset, run the three parts, stop it."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="playhead-browse-")))
        steps = stack.enter_context(Steps())
        folder = options.data.absolute()
        ray_environment.prepare(folder / "ray.token", loopback=True)
        from bench import system  # Ray reads its environment when it is first imported

        async with system.running(folder, options.shards, options.gateways, steps.done) as server:
            async with steps.step("register and enrol the fleet"):
                await system.register(server.postgres, mix)
            return await Browse(options, mix, server, steps, scratch).measure()


class Browse:
    """One run against a running server."""

    def __init__(
        self, options: argparse.Namespace, mix: Mix, server: "Server", steps: Steps, scratch: Path
    ) -> None:
        self._options = options
        self._mix = mix
        self._server = server
        self._steps = steps
        self._scratch = scratch
        self._part_s = float(options.part)

    async def measure(self) -> Figures:
        """Everything, in order."""
        from bench.run import orders

        options = self._options
        told = orders(
            self._mix, self._server, options.loaders, options.addresses, fleet.connect_rate(options)
        )
        loaders = Loaders(told, lambda sums: None)
        meter = await self._server.meter()
        try:
            async with self._steps.step("write scripts"):
                await loaders.start()
            async with self._visitors(await self._orders()) as visitors:
                meter.leave_out([*loaders.pids, visitors.pid])
                async with self._steps.step("connect the fleet"):
                    await loaders.order("connect")
                return await self._drive(loaders, visitors, meter)
        finally:
            await loaders.stop()

    async def _orders(self) -> Orders:
        server, options = self._server, self._options
        async with self._steps.step("plan the visits"):
            plan = Plan(await pool(server.postgres, options.seed), options.seed)
            # In the order in which they are asked: what the warm-up asks is not cold any more.
            warm_up = list(plan.warm_up())
            visits = plan.visits(round(self._part_s * options.per_second))
            issuer = TokenIssuer(open_keys(server.keys_folder).signing)
            tokens: dict[str, str] = {}

            def with_token(visit: Visit) -> tuple[str, str, str]:
                if visit.student not in tokens:
                    tokens[visit.student] = issuer.issue("access", visit.student, lifetime_s=TOKEN_S)
                return visit.kind, tokens[visit.student], visit.path

            web = server.settings.web
            return Orders(
                url=f"http://{web.host}:{web.port}",
                per_second=options.per_second,
                warm_up=[with_token(visit) for visit in warm_up],
                visits=[with_token(visit) for visit in visits],
            )

    @contextlib.asynccontextmanager
    async def _visitors(self, orders: Orders) -> AsyncIterator[asyncio.subprocess.Process]:
        path = self._scratch / "visits.json"
        path.write_bytes(msgspec.json.encode(orders))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.visitor", str(path), str(self._scratch / "visited.json")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None and process.stdin is not None
        try:
            async with self._steps.step("warm the popular pages"):
                if await process.stdout.readline() != b"ready\n":
                    raise StoreUnavailable("the visitors ended before they began; see their words above")
            yield process
        finally:
            process.stdin.close()
            try:
                async with asyncio.timeout(END_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

    async def _drive(self, loaders: Loaders, visitors: asyncio.subprocess.Process, meter: Meter) -> Figures:
        assert visitors.stdin is not None
        start_s = time.monotonic() + 0.5
        begins_s = [start_s + CALM_S + n * self._part_s for n in range(4)]
        visitors.stdin.write(f"{begins_s[1]}\n".encode())
        readings: list[Reading] = []
        async with self._steps.step("drive: alone, browsing, alone"):
            driving = asyncio.ensure_future(loaders.order("drive", start_s=start_s))
            try:
                for at_s in begins_s:
                    await asyncio.sleep(at_s - time.monotonic())
                    readings.append(meter.read())
                await driving
            finally:
                driving.cancel()
                await asyncio.gather(driving, return_exceptions=True)
        async with self._steps.step("wait until all is durable"):
            result = await loaders.settle(time.monotonic() + SETTLE_S, self._scratch)
        await self._check(result.faults)
        hit_rates = await self._hit_rates()
        await loaders.order("leave")
        await asyncio.wait_for(visitors.wait(), END_S)
        asked = msgspec.json.decode((self._scratch / "visited.json").read_bytes(), type=list[Asked])
        return self._figures(result, asked, readings, hit_rates)

    async def _check(self, faults: Faults) -> None:
        from bench import system

        async with self._steps.step("compare with Postgres"):
            async for number, found in system.stored(self._server.postgres, self._mix):
                check_stored(script(self._mix, number), found, faults)

    async def _hit_rates(self) -> dict[str, float]:
        """What the web gateway says of its cache."""
        actor = (await self._server.actors())["gateway:web:0"]
        rates: dict[str, float] = actor["hit_rates"]
        return rates

    def _figures(
        self, result: Result, asked: list[Asked], readings: Sequence[Reading], hit_rates: Mapping[str, float]
    ) -> Figures:
        parts = []
        for number, name in enumerate(("alone", "browsing", "alone again")):
            begin = round(CALM_S + number * self._part_s)
            seconds = result.seconds[begin : begin + round(self._part_s)]
            spent_s = readings[number + 1].spent_since(readings[number])
            parts.append(
                Part(
                    name,
                    Times.of(sorted(time_s for second in seconds for time_s in second.ack)),
                    {group: cpu_s / self._part_s for group, cpu_s in sorted(spent_s.items())},
                )
            )
        kinds = sorted({visit.kind for visit in asked})
        return Figures(
            parts=parts,
            visits={
                kind: Times.of(sorted(one.took_s for one in asked if one.kind == kind)) for kind in kinds
            },
            late=Times.of(sorted(one.late_s for one in asked)),
            statuses=dict(Counter(one.status for one in asked)),
            updates=result.updates,
            hit_rates=hit_rates,
            faults=result.faults,
            seconds=_by_second(asked),
        )


def _by_second(asked: list[Asked]) -> list[Times]:
    """All visits of each second of the browsing."""
    begin_s = min((one.planned_s for one in asked), default=0.0)
    took_s: dict[int, list[float]] = {}
    for one in asked:
        took_s.setdefault(int(one.planned_s - begin_s), []).append(one.took_s)
    return [Times.of(sorted(took_s[second])) for second in sorted(took_s)]


def rows(figures: Figures) -> list[tuple[str, str, str]]:
    """What was measured, with its goal: name, measured, goal and whether it is met."""
    found = []
    for kind, times in figures.visits.items():
        goal_ms = GOALS_MS.get(kind)
        said = _times(times)
        met = "" if goal_ms is None else _judged(f"p99 < {goal_ms} ms", times.p99_s * 1000 < goal_ms)
        found.append((f"{kind} ({times.count})", said, met))
    if figures.seconds:
        # On a machine that others share, one stalled second is every kind's p99.
        middle = sorted(figures.seconds, key=lambda second: second.p99_s)[len(figures.seconds) // 2]
        found.append(("all visits of the middle second", _times(middle), ""))
    for part in figures.parts:
        cores = ", ".join(f"{group} {used:.2f}" for group, used in part.cores.items() if used >= 0.01)
        found.append((f"ack of the fleet, {part.name}", _times(part.ack), ""))
        found.append(("  cores", cores, ""))
    ratio = figures.ack_ratio
    found.append(("ack p99 with visitors / without", f"{ratio:.2f}", _judged("≤ 2", ratio <= ACK_GOAL)))
    found.append(("the visitors' own lateness", _times(figures.late), ""))
    rates = ", ".join(f"{kind} {rate:.0%}" for kind, rate in figures.hit_rates.items())
    found.append(("cache hits", rates, ""))
    statuses = ", ".join(f"{count} × {status}" for status, count in sorted(figures.statuses.items()))
    found.append(("answers", statuses, _judged("all 200", set(figures.statuses) == {200})))
    wrong = figures.faults.total
    found.append(
        (f"updates of the fleet: {figures.updates}; wrong or lost", str(wrong), _judged("0", wrong == 0))
    )
    return found


def _times(times: Times) -> str:
    return (
        f"p50 {times.p50_s * 1000:.1f} ms, p99 {times.p99_s * 1000:.1f} ms, max {times.max_s * 1000:.0f} ms"
    )


def _judged(goal: str, met: bool) -> str:
    return f"{goal}: {'ok' if met else 'misses'}"


def show(figures: Figures, console: Console) -> None:
    """The table for people."""
    table = Table("what", "measured", "goal")
    for row in rows(figures):
        table.add_row(*row)
    console.print(table)
    for line in figures.faults.kept[:10]:
        console.print(str(line))


def markdown(figures: Figures) -> str:
    """The table as in bench/README.md."""
    lines = ["| what | measured | goal |", "|---|---|---|"]
    for name, said, goal in rows(figures):
        lines.append(f"| {name.replace('  ', '&nbsp;&nbsp;')} | {said} | {goal} |")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """What may be said on the command line: the fleet's options, and the visitors'."""
    found = fleet.parser()
    found.prog, found.description = "python -m bench.browse", __doc__
    found.set_defaults(students=5000, rate=0.1, seconds=0.0, two=10)
    found.add_argument("--per-second", type=float, default=200.0, metavar="R", help="requests a second (200)")
    found.add_argument("--part", type=float, default=30.0, metavar="S", help="seconds of each part (30)")
    return found


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
