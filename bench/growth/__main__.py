"""`python -m bench.growth`: the simulation's tables and the cost of a million students."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.growth.cost import FIGURES, Bill, bill, of_fleet, read
from bench.growth.picture import draw
from bench.growth.simulation import Evenness, Row, changes, evenness
from bench.growth.students import gather

SLOT_COUNTS = (256, 1024, 4096, 16_384)


def main(arguments: Sequence[str]) -> int:
    """Print the tables."""
    options = _options(arguments)
    console = Console(width=118)
    crowd = gather(options.students, max(SLOT_COUNTS), options.seed)
    even = evenness(crowd, _counts(options.shards), SLOT_COUNTS)
    console.print(_evenness_table(even, options.students))
    rows = list(changes(crowd.fold(options.slots), options.shards, options.per_node))
    console.print(_changes_table(rows, options))
    figures = read(options.figures)
    if options.fleet:
        run = json.loads(options.fleet.read_text())
        figures = replace(figures, measured=of_fleet(run, figures.measured))
        console.print(figures.measured)
    costs = bill(figures, options.concurrent)
    console.print(_cost_table(costs))
    if options.json:
        found = {"evenness": even, "changes": rows, "cost": [costs]}
        text = {name: [asdict(one) for one in of_kind] for name, of_kind in found.items()}  # type: ignore[attr-defined]
        options.json.write_text(json.dumps({"seed": options.seed, **text}, indent=1) + "\n")
    if options.svg:
        options.svg.write_text(draw(even))
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--students", type=int, default=10_000_000)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=16_384, help="slots of the second table")
    parser.add_argument("--per-node", type=int, default=20, help="shards of a node")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figures", type=Path, default=FIGURES, help="measured figures of the cost table")
    parser.add_argument("--fleet", type=Path, help="a bench.fleet --json whose figures to take instead")
    parser.add_argument("--concurrent", type=int, default=1_000_000, help="students of the cost table")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--svg", type=Path)
    return parser.parse_args(arguments)


def _counts(shards: int) -> list[int]:
    """Numbers of shards up to this one, about three a decade."""
    counts = [count for power in range(5) for count in (10**power, 2 * 10**power, 5 * 10**power)]
    return [count for count in counts if 1 < count < shards] + [shards]


def _evenness_table(even: list[Evenness], students: int) -> Table:
    slot_counts = sorted({one.slots for one in even})
    table = Table(title=f"Fullest shard over the mean, {students:,} students: sessions (slots)")
    table.add_column("shards", justify="right")
    for slots in slot_counts:
        table.add_column(f"{slots:,} slots", justify="right")
    for shards in sorted({one.shards for one in even}):
        found = {one.slots: one.balance for one in even if one.shards == shards}
        cells = [
            f"{found[slots].sessions:.2f} ({found[slots].slots:.2f})"
            + (f", {found[slots].empty:,} idle" if found[slots].empty else "")
            for slots in slot_counts
        ]
        table.add_row(f"{shards:,}", *cells)
    return table


def _changes_table(rows: list[Row], options: argparse.Namespace) -> Table:
    table = Table(title=f"{options.shards:,} shards, {options.slots:,} slots, {options.students:,} students")
    for title in ("way", "change", "sessions moved", "least possible", "sessions max/mean", "work max/mean"):
        table.add_column(title, justify="left" if title in ("way", "change") else "right")
    before = None
    for row in rows:
        table.add_row(
            "" if row.way == before else row.way,
            row.change,
            f"{row.moved:.2%}",
            f"{row.least:.2%}",
            f"{row.balance.sessions:.2f}",
            f"{row.balance.work:.2f}" + (f", {row.balance.empty} idle" if row.balance.empty else ""),
        )
        before = row.way
    return table


def _cost_table(costs: Bill) -> Table:
    table = Table(title=f"{costs.students:,} students who play at the same time")
    table.add_column("what")
    table.add_column("how much", justify="right")
    table.add_column("from")
    for line in costs.lines:
        table.add_row(line.what, line.much, line.source)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
