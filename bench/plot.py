"""`python -m bench.plot RUN.json PICTURE.png`: latency, CPU and memory of a run over time, as a picture."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from persistence.errors import SetupError

OverTime = Mapping[str, Any]
"""`seconds`, `cores`, `memory_mib` and `events` as a run's JSON has them under `over_time`; `s` counts from
the first planned update."""

_LINES = {
    "ack_p50_ms": ("ack, half of all", "#4477aa", "-"),
    "ack_p99_ms": ("ack, 99 %", "#4477aa", "--"),
    "push_p50_ms": ("push to the other device, half", "#cc6677", "-"),
    "push_p99_ms": ("push, 99 %", "#cc6677", "--"),
    "late_p99_ms": ("the load's own lateness, 99 %", "#999999", ":"),
}
_COLOURS = {
    "socket gateways": "#4477aa",
    "shards": "#228833",
    "Postgres": "#ccbb44",
    "Ray": "#aa3377",
    "directory": "#66ccee",
    "web gateway": "#ee6677",
    "the load": "#bbbbbb",
}
_REST = "other"


def draw(path: Path, over_time: OverTime, title: str) -> None:
    """Three panels under each other on one time axis. Raises `SetupError` where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        raise SetupError("a picture needs matplotlib, which is among the development packages") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (latency, cpu, memory) = pyplot.subplots(
        3, 1, sharex=True, figsize=(11, 11), height_ratios=(4, 4, 3)
    )
    try:
        _latency(latency, over_time["seconds"])
        _stack(cpu, over_time["cores"], "CPU, cores in use")
        _stack(memory, over_time["memory_mib"], "memory (PSS), MiB")
        memory.set_xlabel("seconds since the first update")
        for number, event in enumerate(over_time["events"]):
            for panel in (latency, cpu, memory):
                panel.axvline(event["s"], color="black", linewidth=0.8, linestyle="-.")
            # In turn at the top and at the bottom: what ends and what begins may be the same moment.
            height, side = ((0.97, "top"), (0.03, "bottom"))[number % 2]
            latency.annotate(
                event["what"], (event["s"], height), xycoords=("data", "axes fraction"), rotation=90,
                va=side, ha="right", fontsize=8,
            )  # fmt: skip
        figure.suptitle(title)
        figure.tight_layout()
        figure.savefig(path, dpi=110)
    finally:
        pyplot.close(figure)


def _latency(panel: Any, seconds: Sequence[Mapping[str, float]]) -> None:
    for name, (label, colour, style) in _LINES.items():
        points = [(row["s"], row[name]) for row in seconds if row.get(name) is not None]
        if points:
            panel.plot(*zip(*points, strict=True), style, color=colour, label=label, linewidth=1.2)
    panel.set_yscale("log")
    panel.set_ylabel("latency, ms (log)")
    panel.grid(True, which="both", alpha=0.25)
    _legend(panel)


def _stack(panel: Any, rows: Sequence[Mapping[str, float]], label: str) -> None:
    names = [*(name for name in _COLOURS if any(name in row for row in rows)), _REST]
    heights = [[_height(row, name) for row in rows] for name in names]
    colours = [_COLOURS.get(name, "#555555") for name in names]
    if rows:
        panel.stackplot([row["s"] for row in rows], heights, labels=names, colors=colours, step="pre")
    panel.set_ylabel(label)
    panel.grid(True, alpha=0.25)
    _legend(panel)


def _legend(panel: Any) -> None:
    """Above the panel, where it hides nothing."""
    if not panel.get_legend_handles_labels()[0]:
        return
    panel.legend(
        loc="lower left", bbox_to_anchor=(0, 1), fontsize=8, ncols=8, frameon=False, columnspacing=1.2
    )


def _height(row: Mapping[str, float], name: str) -> float:
    if name != _REST:
        return row.get(name, 0.0)
    return sum(value for key, value in row.items() if key != "s" and key not in _COLOURS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw a run again from its JSON."""
    parser = argparse.ArgumentParser("python -m bench.plot", description=__doc__)
    parser.add_argument("run", type=Path, help="what --json wrote")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    options = parser.parse_args(arguments)
    run = json.loads(options.run.read_text())
    draw(options.picture, run["over_time"], run["title"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
