"""`playhead status`: what every actor is doing, as a table."""

import argparse
import asyncio
import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from actors.named import named_actor
from actors.settings import DIRECTORY
from gateway import cluster
from gateway.cli import running
from gateway.settings import Settings
from persistence.errors import SetupError

ANSWER_S = 10.0
LAG_WRONG_S = 60.0
"""A durable lag above this is wrong (faults.md, ops)."""


async def status(settings: Settings, options: argparse.Namespace) -> int:
    """Print the table; exit status 1 if something is wrong."""
    folder = settings.folder
    found = running.read(folder)
    joined = await asyncio.to_thread(cluster.join, found.ray_address)
    try:
        async with asyncio.timeout(ANSWER_S):
            directory = await named_actor(DIRECTORY)
            stats: dict[str, Any] = await directory.stats.remote()
    except (TimeoutError, ValueError):
        raise SetupError("the directory does not answer; look at the Ray dashboard") from None
    finally:
        await joined.stop()
    wrong = problems(stats)
    if options.json:
        print(json.dumps({**stats, "problems": wrong}))  # noqa: T201 - this is the person's terminal
    else:
        _show(stats, wrong, found.web_url)
    return 1 if wrong else 0


def problems(stats: dict[str, Any]) -> list[str]:
    """What is wrong, one line each; empty if all is well."""
    wrong = []
    if (change := stats.get("change") or {}).get("state") == "failed":
        wrong.append(f"the latest `playhead scale` failed: {change['error']}")
    for name, actor in stats["actors"].items():
        if actor["seen_s"] is None or actor["seen_s"] > 10:
            wrong.append(f"{name} does not answer")
        elif actor.get("durable_lag_s", 0) > LAG_WRONG_S:
            wrong.append(f"{name} has not written for {actor['durable_lag_s']:.0f} s: is Postgres well?")
        if actor.get("quarantined"):
            wrong.append(f"{name} has put {actor['quarantined']} students aside: see its log")
        if actor.get("unreadable"):
            wrong.append(f"{name} cannot read the rows of {actor['unreadable']} students: see its log")
    return wrong


def _show(stats: dict[str, Any], wrong: list[str], web_url: str) -> None:
    console = Console(file=sys.stdout, highlight=False)
    shards = _table("shard", "pid", "slots", "sessions", "devices", "updates", "rows", "lag", "restarts")
    gateways = _table("gateway", "pid", "connections", "restarts")
    for name, actor in stats["actors"].items():
        if name.startswith("shard:"):
            figures = ("pid", "slots", "sessions", "connections", "updates", "rows")
            lag = f"{actor.get('durable_lag_s', 0):.1f} s"
            shards.add_row(f"  {name}", *(_cell(actor, f) for f in figures), lag, _cell(actor, "restarts"))
        else:
            gateways.add_row(f"  {name}", *(_cell(actor, f) for f in ("pid", "connections", "restarts")))
    console.print(shards, gateways, f"  pages {web_url} · slot map version {stats['map_version']}", sep="")
    if (change := stats.get("change")) and change["state"] not in ("done", "failed"):
        tally = change["tally"]
        console.print(
            f"  scaling to {change['shards']} shards and {change['gateways']} gateways: "
            f"{tally['moved']} of {tally['to_move']} slots moved"
        )
    for line in wrong:
        console.print(f"  [red]wrong:[/] {line}")
    if not wrong:
        console.print("  [green]all is well[/]")


def _table(name: str, *figures: str) -> Table:
    """A table that fits into 80 columns; the lag is the age of the oldest change not yet durable."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column(f"  {name}", no_wrap=True)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def _cell(actor: dict[str, Any], figure: str) -> str:
    return str(actor.get(figure, "-"))
