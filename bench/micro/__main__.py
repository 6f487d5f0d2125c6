"""`python -m bench.micro`: times the small things and shows them beside the last committed figures.

Figures are ratios to a loop of the same run, so machines may differ; nothing here ever fails a build.
"""

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

HERE = Path(__file__).parent
FIGURES = HERE / "figures.json"
CALIBRATION = "calibration"
NOTABLE = 1.25
"""Slower than before by more than this is marked: on a shared machine less says nothing."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One benchmark: µs of one operation at the best, and as a ratio to one turn of the calibration loop."""

    name: str
    best_us: float
    ratio: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all of them, show them, and with `--write` keep them as the ones to compare with."""
    parser = argparse.ArgumentParser("python -m bench.micro", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep these figures as the next ones' measure")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as in bench/README.md")
    parser.add_argument("-k", metavar="WORDS", help="only these (as of pytest)")
    options = parser.parse_args(arguments)
    try:
        figures = read(_timed(options.k))
    except SetupError as error:
        print(f"micro: {error}", file=sys.stderr)
        return 2
    before: dict[str, float] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    lines = rows(figures, before)
    Console(highlight=False).print(_table(lines))
    if options.markdown is not None:
        options.markdown.write_text(markdown(lines) + "\n")
    if options.write:
        kept = before | {figure.name: round(figure.ratio, 5) for figure in figures}
        FIGURES.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
    return 0


def _timed(words: str | None) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        chosen = ["-k", f"({words}) or {CALIBRATION}"] if words else []
        command = [
            *(sys.executable, "-m", "pytest", str(HERE), "-q", "-p", "no:cacheprovider"),
            *(
                f"--benchmark-json={file}",
                "--benchmark-disable-gc",
                "--benchmark-columns=min,median",
                *chosen,
            ),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent.parent)
        if done.returncode:
            raise SetupError(f"the benchmarks could not be run:\n{done.stdout}{done.stderr}")
        found: dict[str, Any] = json.loads(file.read_text())
        return found


def read(report: Mapping[str, Any]) -> list[Figure]:
    """The figures of a pytest-benchmark report. The best time of each: what disturbs only ever adds."""
    best_us: dict[str, float] = {}
    for entry in report["benchmarks"]:
        place = Path(entry["fullname"].partition("::")[0]).stem.removeprefix("test_")
        name = entry["name"].removeprefix("test_")
        operations = entry["extra_info"].get("operations", 1)
        full = CALIBRATION if name == CALIBRATION else f"{place}: {name.replace('_', ' ')}"
        best_us[full] = 1e6 * entry["stats"]["min"] / operations
    loop_us = best_us[CALIBRATION]
    return [Figure(name, time_us, time_us / loop_us) for name, time_us in sorted(best_us.items())]


def rows(figures: Sequence[Figure], before: Mapping[str, float]) -> list[tuple[str, str, str, str, str]]:
    """Name, µs, ratio to the loop now and then, and how these two compare."""
    found = []
    for figure in figures:
        then = before.get(figure.name)
        change = figure.ratio / then if then else None
        said = "new" if change is None else f"{change:.2f} ×" + (" slower" if change > NOTABLE else "")
        found.append(
            (
                figure.name,
                f"{figure.best_us:.2f} µs",
                f"{figure.ratio:.4f}",
                f"{then:.4f}" if then else "-",
                said,
            )
        )
    return found


COLUMNS = ("what", "best", "to the loop", "before", "now / before")


def markdown(lines: Sequence[tuple[str, ...]]) -> str:
    """The table for the README."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [COLUMNS, ("---",) * len(COLUMNS), *lines])


def _table(lines: Sequence[tuple[str, ...]]) -> Table:
    table = Table(title="one operation each; the loop is 1,000 turns of plain Python")
    for column in COLUMNS:
        table.add_column(column)
    for line in lines:
        table.add_row(*line)
    return table


if __name__ == "__main__":
    sys.exit(main())
