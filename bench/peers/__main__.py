"""`python -m bench.peers`: the same work on Playhead, Socket.IO and Durable Objects, in turn, in one run.

Each server is started here, alone, on data of its own, driven, checked and stopped before the next one.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.peers import compare
from bench.peers.figures import PLAYHEAD, Measured
from bench.peers.runs import run_peer, run_playhead
from bench.peers.servers import PEERS, install
from bench.plan import Mix
from gateway.cli.steps import Steps
from persistence.errors import PlayheadError

ALL = ("playhead", *PEERS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; exit status 1 if anything was wrong or lost anywhere."""
    options = _parser().parse_args(arguments)
    began_s = time.monotonic()
    try:
        runs = asyncio.run(_run(options))
    except PlayheadError as error:
        print(f"peers: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    title = (
        f"{options.students} students, {options.rate:g} update(s)/s each for {options.seconds:g} s, "
        f"{options.rounds} round(s) in {time.monotonic() - began_s:.0f} s"
    )
    compare.show(runs, title, Console(highlight=False, width=None if sys.stdout.isatty() else 140))
    if options.json is not None:
        options.json.write_text(json.dumps(compare.plain(runs), indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text(compare.markdown(runs) + "\n")
    return 1 if any(run.faults for run in runs) else 0


async def _run(options: argparse.Namespace) -> list[Measured]:
    task = asyncio.current_task()
    assert task is not None
    for ending in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(ending, task.cancel)
    mix = _mix(options)
    for name in options.only:
        if name in PEERS:
            await install(PEERS[name])
    runs = []
    for number in range(options.rounds):
        for name in options.only:
            runs.append(await _run_one(name, number, options, mix))
    return runs


async def _run_one(name: str, number: int, options: argparse.Namespace, mix: Mix) -> Measured:
    console = Console(file=sys.stderr, highlight=False)
    console.print(
        f"round {number + 1} of {options.rounds}: {PEERS[name].name if name in PEERS else PLAYHEAD}"
    )
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="playhead-peers-")))
        if name in PEERS:
            steps = stack.enter_context(Steps())
            return await run_peer(PEERS[name], mix, options.loaders, scratch, steps)
        return await run_playhead(_fleet(options), scratch / "fleet.json")


def _mix(options: argparse.Namespace) -> Mix:
    period_ms = round(1000 / options.rate)
    updates = round(options.seconds * 1000 / period_ms)
    mix = Mix(options.seed, options.students, updates, period_ms, tag=f"peers{int(time.time()):x}")
    mix.check()
    return mix


def _fleet(options: argparse.Namespace) -> list[str]:
    names = ("students", "rate", "seconds", "seed", "loaders", "shards", "gateways")
    return [part for name in names for part in (f"--{name}", str(getattr(options, name)))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench.peers", description=__doc__)
    parser.add_argument("--students", type=int, default=8000, metavar="N", help="how many (8000)")
    parser.add_argument("--rate", type=float, default=1.0, metavar="R", help="updates per student and s (1)")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of steady load (20)")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="runs of each server (2)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all scripts (1)")
    parser.add_argument("--loaders", type=int, default=1, metavar="N", help="processes of the load (1)")
    parser.add_argument("--shards", type=int, default=2, metavar="N", help="Playhead's shards (2)")
    parser.add_argument("--gateways", type=int, default=1, metavar="N", help="its socket gateways (1)")
    parser.add_argument(
        "--only", nargs="+", choices=ALL, default=list(ALL), metavar="SERVER", help=f"of {', '.join(ALL)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as in the README")
    return parser


if __name__ == "__main__":
    sys.exit(main())
