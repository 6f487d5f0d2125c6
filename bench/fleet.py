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
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench import plot, report, storm, sweep
from bench.plan import Mix
from bench.scale import Wish
from gateway import ray_environment
from gateway.cli.steps import Steps
from persistence.errors import PlayheadError, SetupError

CONNECT_RATE = 800.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fleet; exit status 1 if anything was wrong or lost."""
    options = parser().parse_args(arguments)
    try:
        if options.sweep:
            return sweep.run(options)
        mix = mix_of(options)
        figures = asyncio.run(run(options, mix))
        tell(figures, options)
    except PlayheadError as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    return 1 if figures.faults.total else 0


def mix_of(options: argparse.Namespace) -> Mix:
    """The load that is asked for. Raises `SetupError` if it cannot be made."""
    period_ms = round(1000 / options.rate)
    seconds = options.minutes * 60 if options.minutes else options.seconds
    mix = Mix(
        seed=options.seed,
        students=options.students,
        updates=round(seconds * 1000 / period_ms),
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


def connect_rate(options: argparse.Namespace) -> float:
    """Connections per second: somewhat fewer than gateways let in before they send away."""
    rate: float = CONNECT_RATE * options.gateways if options.connect_rate is None else options.connect_rate
    return rate


async def run(options: argparse.Namespace, mix: Mix) -> report.Figures:
    """Start the server, run the mix against it, stop the server."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="playhead-fleet-")))
        folder = (options.data or scratch / "data").absolute()
        steps = stack.enter_context(Steps())
        ray_environment.prepare(folder / "ray.token", loopback=True)
        from bench import run as phases  # Ray reads its environment when it is first imported
        from bench import system

        how = phases.Options(
            loaders=options.loaders,
            addresses=options.addresses,
            connect_rate=connect_rate(options),
            storm=storm.Plan.read(options.storm) if options.storm else None,
            scale=Wish.read(options.scale) if options.scale else (),
            soak=bool(options.minutes),
        )
        async with system.running(folder, options.shards, options.gateways, steps.done) as server:
            _end_on_signals()
            async with steps.step("register and enrol students"):
                await system.register(server.postgres, mix)
            return await phases.Run(how, mix, server, steps, scratch).measure()


def tell(figures: report.Figures, options: argparse.Namespace) -> None:
    """Print the table and write what was asked for."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    report.show(figures, console)
    if options.json is not None:
        options.json.write_text(json.dumps(figures.plain(), indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text(report.markdown(figures) + "\n")
    if options.plot is not None:
        plot.draw(options.plot, figures.over_time, figures.title)


def _end_on_signals() -> None:
    """Unwind on Ctrl-C and SIGTERM. Called once Ray is joined, which takes these signals for itself."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def parser() -> argparse.ArgumentParser:
    """What may be said on the command line."""
    found = argparse.ArgumentParser("python -m bench.fleet", description=__doc__)
    load = found.add_argument_group("the load")
    load.add_argument("--students", type=int, default=2000, metavar="N", help="how many (2000)")
    load.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of steady load (20)")
    load.add_argument(
        "--minutes", type=float, metavar="M", help="so long instead, and tell whether memory grows"
    )
    load.add_argument("--rate", type=float, default=1.0, metavar="R", help="updates per student and s (1)")
    load.add_argument("--two", type=float, default=10, metavar="P", help="%% of students with 2 devices (10)")
    load.add_argument("--three", type=float, default=0, metavar="P", help="%% with 3 devices (0)")
    load.add_argument(
        "--play", type=int, default=10, metavar="N", help="updates between pauses or seeks (10)"
    )
    load.add_argument("--skew", action="store_true", help="1 %% of the students make 20 %% of the updates")
    load.add_argument("--seed", type=int, default=1, metavar="N", help="of all scripts (1)")
    load.add_argument(
        "--storm", metavar="KIND[@S]", help=f"at second S ({storm.AT_S:g}): {', '.join(storm.KINDS)}"
    )
    load.add_argument("--scale", metavar="S:N,...", help="at second S change to N shards: 10:4,20:1")
    load.add_argument(
        "--sweep", metavar="N,N,...", help="one run for each number of students: is CPU per update flat?"
    )
    load.add_argument(
        "--sweep-by", choices=("total", "student", "both"), default="total",
        help="at the same updates/s in all, the same rate of each student, or first one, then the other",
    )  # fmt: skip
    load.add_argument(
        "--updates-per-s", type=float, default=5000, metavar="R", help="in all, for a sweep (5000)"
    )
    size = found.add_argument_group("processes")
    size.add_argument("--shards", type=int, default=2, metavar="N", help="shard processes (2)")
    size.add_argument("--gateways", type=int, default=1, metavar="N", help="socket gateways (1)")
    size.add_argument("--loaders", type=int, default=1, metavar="N", help="processes of the load (1)")
    size.add_argument(
        "--addresses", type=int, default=0, metavar="N", help="loopback addresses (one for 200 devices)"
    )
    size.add_argument(
        "--connect-rate", type=float, metavar="R", help="connections a second, 0: no limit (800 a gateway)"
    )
    files = found.add_argument_group("files")
    files.add_argument("--data", type=Path, metavar="FOLDER", help="keep the data here (a temporary folder)")
    files.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    files.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as in bench/README.md")
    files.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw latency, CPU and memory over time (PNG)"
    )
    return found


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
