"""Is CPU per update flat? The same fleet in several sizes, each on a server of its own, in one table."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.report import Figures
from persistence.errors import SetupError

FLAT = 0.1
"""Within so much of the middle one of all (design, section 9)."""

COLUMNS = (
    "students",
    "each",
    "updates/s",
    "CPU per update",
    "of the middle",
    "less idle",
    "ack p99",
    "wrong or lost",
)

RunOne = Callable[[argparse.Namespace], Coroutine[None, None, Figures]]


@dataclass(frozen=True, slots=True)
class Size:
    """One run of the sweep: so many students at so many updates per second each."""

    students: int
    rate: float
    same_total: bool


def sizes(options: argparse.Namespace) -> list[Size]:
    """First all sizes with the same updates/s in all, then with the same rate of each student.

    Raises `SetupError`.
    """
    try:
        students = [int(part) for part in options.sweep.split(",")]
    except ValueError:
        students = []
    if not students or min(students) < 1:
        raise SetupError(f"{options.sweep!r} is no list of numbers of students, as 1000,8000,50000")
    found = []
    if options.sweep_by in ("total", "both"):
        found += [Size(count, options.updates_per_s / count, True) for count in students]
    if options.sweep_by in ("student", "both"):
        found += [Size(count, options.rate, False) for count in students]
    return found


def run(options: argparse.Namespace, run_one: RunOne) -> int:
    """All sizes one after the other; exit status 1 if anything was wrong or lost."""
    done: list[tuple[Size, Figures]] = []
    for size in sizes(options):
        each = argparse.Namespace(**{**vars(options), "students": size.students, "rate": size.rate})
        print(f"sweep: {size.students} students at {size.rate:g}/s each", file=sys.stderr)
        done.append((size, asyncio.run(run_one(each))))
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(_table(done))
    if options.json is not None:
        options.json.write_text(json.dumps([figures.plain() for _, figures in done], indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text(markdown(done) + "\n")
    return 1 if any(figures.faults.total for _, figures in done) else 0


def rows(done: Sequence[tuple[Size, Figures]]) -> list[tuple[str, ...]]:
    """One row per run; beside CPU per update how far it is from the middle one of its kind."""
    found: list[tuple[str, ...]] = []
    for size, figures in done:
        same = sorted(_cpu_us(other) for kind, other in done if kind.same_total == size.same_total)
        off = _cpu_us(figures) / same[len(same) // 2] - 1
        found.append(
            (
                str(size.students),
                f"{size.rate:g}/s",
                f"{figures.updates_per_s:.0f}",
                f"{_cpu_us(figures):.0f} µs",
                f"{100 * off:+.0f} %" + ("" if abs(off) <= FLAT or not size.same_total else " (not flat)"),
                f"{figures.cpu_us_per_update_all_in:.0f} µs",
                f"{1000 * figures.times['ack'].p99_s:.0f} ms",
                str(figures.faults.total),
            )
        )
    return found


def markdown(done: Sequence[tuple[Size, Figures]]) -> str:
    """The table for the README."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *rows(done)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _table(done: Sequence[tuple[Size, Figures]]) -> Table:
    table = Table(title="CPU per update by number of students")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for row in rows(done):
        table.add_row(*row)
    return table


def _cpu_us(figures: Figures) -> float:
    return sum(figures.cpu_us_per_update.values())
