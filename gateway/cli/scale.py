"""`playhead scale`: more or fewer shards and gateways of the running system, while students watch."""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray.exceptions import RayActorError, RayTaskError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from actors import nodes
from actors.named import named_actor
from actors.settings import DIRECTORY
from gateway import cluster
from gateway.cli import running
from gateway.settings import Settings
from persistence.errors import PlayheadError, SetupError

ASK_EVERY_S = 0.2
SAY_EVERY_S = 2.0
ANSWER_S = 10.0
SILENT_S = 60.0
"""A directory that was killed is back after some seconds and goes on with the change."""

Stats = Mapping[str, Any]
DOING = {"starting": "starting what comes", "moving": "moving slots", "ending": "letting go of what leaves"}


class NotScaled(PlayheadError):
    """The numbers could not be changed; the message says why. Everything there is goes on being served."""


async def scale(settings: Settings, options: argparse.Namespace) -> int:
    """Change the numbers, show how it goes, and what has become of it."""
    if options.shards is None and options.gateways is None and options.drain_node is None:
        raise SetupError("say how many there are to be: `playhead scale --shards 4`, --gateways 2, or both")
    if options.drain_node is not None and (options.shards, options.gateways) != (None, None):
        raise SetupError("--drain-node keeps the numbers; drain first, then change them")
    found = running.read(settings.folder)
    joined = await asyncio.to_thread(cluster.join, found.ray_address)
    try:
        directory = await _directory()
        before: Stats = await _asked(directory.stats.remote(fresh=True))
        began_s = time.monotonic()
        if options.drain_node is not None:
            node = the_node(options.drain_node, await nodes.alive())
            await _asked(directory.drain_node.remote(node))
        else:
            await _asked(directory.scale.remote(options.shards, options.gateways))
        with _Said(quiet=options.json) as said:
            change = await _until_done(directory, said.show)
        seconds = time.monotonic() - began_s
        after: Stats = await _asked(directory.stats.remote(fresh=True))
    finally:
        await joined.stop()
    if options.json:
        print(json.dumps(_plain(change, seconds, after)))  # noqa: T201 - this is the person's terminal
    else:
        _show(change, seconds, before, after)
    return 0


def the_node(said: str, alive: Sequence[str]) -> str:
    """The id of the node that a person means by the beginning of it. Raises `SetupError`."""
    found = [node for node in alive if node.startswith(said)] if said else []
    if len(found) != 1:
        short = ", ".join(node[:12] for node in alive)
        raise SetupError(
            f"{len(found)} of the nodes that are up begin with {said!r}; give the beginning of one of {short}"
        )
    if len(alive) == 1:
        raise SetupError("it is the only node that is up; start another one first")
    return found[0]


async def _directory() -> Any:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await named_actor(DIRECTORY)
    except (TimeoutError, ValueError):
        raise SetupError("the directory does not answer; look at the Ray dashboard") from None


async def _asked(call: Any) -> Any:
    """The answer of the directory; what it refuses is told in its own words."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await call
    except RayTaskError as error:
        raise NotScaled(str(error.cause if isinstance(error.cause, PlayheadError) else error)) from None
    except (RayActorError, TimeoutError):
        raise SetupError("the directory does not answer; see `playhead status`, and try again") from None


async def _until_done(directory: Any, show: Callable[[Stats], None]) -> Stats:
    """Follow the change to its end, also across a directory that dies on the way."""
    heard_s = time.monotonic()
    while time.monotonic() - heard_s < SILENT_S:
        with contextlib.suppress(SetupError):
            change: Stats | None = await _asked(directory.progress.remote())
            heard_s = time.monotonic() if change is not None else heard_s
            if change is not None:
                show(change)
                if change["state"] == "done":
                    return change
                if change["state"] == "failed":
                    raise NotScaled(f"{change['error']} (what there is goes on being served)")
        await asyncio.sleep(ASK_EVERY_S)
    raise NotScaled(
        "the directory has not answered for a minute; see `playhead status` for what there is now"
    )


class _Said:
    """What a person sees meanwhile: a bar on a terminal, else a line now and then; nothing if quiet."""

    def __init__(self, quiet: bool) -> None:
        self._console = Console(file=sys.stderr, highlight=False, quiet=quiet)
        self._said_s = 0.0
        self._progress = Progress(
            TextColumn("  {task.description:<26}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, said="")

    def __enter__(self) -> "_Said":
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def show(self, change: Stats) -> None:
        """How far it is."""
        tally, doing = change["tally"], DOING.get(change["state"], "done")
        said = _moved(tally) if tally["to_move"] else ""
        total = tally["to_move"] or None
        self._progress.update(self._task, description=doing, total=total, completed=tally["moved"], said=said)
        now_s = time.monotonic()
        if not self._console.is_terminal and now_s - self._said_s > SAY_EVERY_S:
            self._said_s = now_s
            self._console.print(f"  {doing}  {said}")


def _moved(tally: Stats) -> str:
    longest = f", longest pause {max(tally['pauses_ms']):.0f} ms" if tally["pauses_ms"] else ""
    return f"{tally['moved']} of {tally['to_move']} slots{longest}"


def _plain(change: Stats, seconds: float, after: Stats) -> dict[str, Any]:
    tally = change["tally"]
    pauses_ms = sorted(tally["pauses_ms"])
    return {
        "shards": change["shards"],
        "gateways": change["gateways"],
        "seconds": round(seconds, 2),
        "moved": tally["moved"],
        "again": tally["again"],
        "pause_ms": {"p50": _at(pauses_ms, 0.5), "p99": _at(pauses_ms, 0.99), "max": _at(pauses_ms, 1.0)},
        "actors": after["actors"],
    }


def _at(ordered: Sequence[float], share: float) -> float:
    """The value below which this share of them is; 0 if there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _show(change: Stats, seconds: float, before: Stats, after: Stats) -> None:
    console = Console(file=sys.stdout, highlight=False)
    for prefix, figures in (("shard:", ("slots", "sessions")), ("gateway:socket:", ("connections",))):
        console.print(_compared(prefix, figures, before["actors"], after["actors"]))
    pauses_ms = sorted(change["tally"]["pauses_ms"])
    moved = f"{change['tally']['moved']} slots moved"
    if pauses_ms:
        moved += f"; pause of a slot p50 {_at(pauses_ms, 0.5):.0f} ms, p99 {_at(pauses_ms, 0.99):.0f} ms"
        moved += f", max {pauses_ms[-1]:.0f} ms"
    console.print(f"  [green]done[/] in {seconds:.1f} s: {moved}")


def _compared(prefix: str, figures: Sequence[str], before: Stats, after: Stats) -> Table:
    """Each actor's figures then and now; "-" where there is none."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column(f"  {prefix.rstrip(':')}", no_wrap=True)
    for figure in figures:
        table.add_column(f"{figure} before", justify="right")
        table.add_column("now", justify="right")
    table.add_column("node")
    names = [name for name in {**before, **after} if name.startswith(prefix)]
    for name in sorted(names, key=lambda name: int(name.rpartition(":")[2])):
        then, now = before.get(name, {}), after.get(name, {})
        cells = [str(side.get(figure, "-")) for figure in figures for side in (then, now)]
        gone = "" if now else "gone"
        table.add_row(f"  {name}", *cells, gone or str(now.get("node", "-"))[:8])
    return table
