"""Is CPU per update flat? The same fleet in several sizes, each on a server of its own, in one table."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

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

PASSED_ON = (
    *("seconds", "minutes", "two", "three", "play", "seed"),
    *("shards", "gateways", "loaders", "addresses", "connect_rate"),
)

Run = Mapping[str, Any]
"""What `--json` of one run has."""


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


def run(options: argparse.Namespace) -> int:
    """All sizes one after the other, each in a process of its own; exit status 1 if anything was wrong or
    lost. Raises `SetupError` if a run could not be made."""
    done: list[tuple[Size, Run]] = []
    with tempfile.TemporaryDirectory(prefix="playhead-sweep-") as folder:
        file = Path(folder) / "run.json"
        for size in sizes(options):
            print(f"sweep: {size.students} students at {size.rate:g}/s each", file=sys.stderr)
            file.unlink(missing_ok=True)
            subprocess.run(
                [sys.executable, "-m", "bench.fleet", *_arguments(options, size, file)], check=False
            )
            if not file.exists():
                raise SetupError(
                    f"the run of {size.students} students could not be made; see its words above"
                )
            done.append((size, json.loads(file.read_text())))
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(_table(done))
    if options.json is not None:
        options.json.write_text(json.dumps([run for _, run in done], indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text(markdown(done) + "\n")
    return 1 if any(_faults(run) for _, run in done) else 0


def _arguments(options: argparse.Namespace, size: Size, file: Path) -> list[str]:
    """The command line of one run: what was said for all, and its size."""
    said = {name: getattr(options, name) for name in PASSED_ON if getattr(options, name) is not None}
    said |= {"students": size.students, "rate": size.rate, "json": file}
    pairs = (word for name, value in said.items() for word in (f"--{name.replace('_', '-')}", str(value)))
    return [*pairs, *(["--skew"] if options.skew else [])]


def rows(done: Sequence[tuple[Size, Run]]) -> list[tuple[str, ...]]:
    """One row per run; beside CPU per update how far it is from the middle one of its kind."""
    found: list[tuple[str, ...]] = []
    for size, run in done:
        same = sorted(_cpu_us(other) for kind, other in done if kind.same_total == size.same_total)
        off = _cpu_us(run) / same[len(same) // 2] - 1
        found.append(
            (
                str(size.students),
                f"{size.rate:g}/s",
                f"{run['updates_per_s']:.0f}",
                f"{_cpu_us(run):.0f} µs",
                f"{100 * off:+.0f} %" + ("" if abs(off) <= FLAT or not size.same_total else " (not flat)"),
                f"{run['cpu_us_per_update_all_in']:.0f} µs",
                f"{1000 * run['times']['ack']['p99_s']:.0f} ms",
                str(_faults(run)),
            )
        )
    return found


def markdown(done: Sequence[tuple[Size, Run]]) -> str:
    """The table for the README."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *rows(done)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _table(done: Sequence[tuple[Size, Run]]) -> Table:
    table = Table(title="CPU per update by number of students")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for row in rows(done):
        table.add_row(*row)
    return table


def _cpu_us(run: Run) -> float:
    return float(run["cpu_us_per_update"]["all"])


def _faults(run: Run) -> int:
    return sum(run["faults"]["kinds"].values())
