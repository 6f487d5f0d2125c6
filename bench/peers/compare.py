"""Medians of all runs of each server, their ratios, and the table with the goals beside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.peers.figures import NO_TIMES, PLAYHEAD, Measured

SOCKETIO, OBJECTS = "Socket.IO", "Durable Objects"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `limits` are of Playhead's median: the most it may be, by itself (key
    `PLAYHEAD`) or as a share of a peer's (the peer's name).
    """

    name: str
    of: Callable[[Measured], float]
    unit: str
    limits: Mapping[str, float]
    digits: int = 0


def _times(name: str, what: str) -> Callable[[Measured], float]:
    scale = 1.0 if name.startswith("durable") else 1000.0
    return lambda run: scale * float(getattr(run.times.get(name, NO_TIMES), what))


LINES = (
    Line("server CPU per update", lambda r: r.cpu_us_per_update, "µs", {SOCKETIO: 0.6, OBJECTS: 0.35}),
    Line("  in the window alone", lambda r: r.cpu_us_per_update_window, "µs", {}),
    Line("CPU per connection", lambda r: r.cpu_us_per_connection, "µs", {PLAYHEAD: 400.0}),
    Line("memory per student, connected", lambda r: r.kib, "KiB", {PLAYHEAD: 16.0}, 1),
    Line("  at the end of the window", lambda r: r.kib_end, "KiB", {PLAYHEAD: 16.0}, 1),
    Line("ack p50", _times("ack", "p50_s"), "ms", {}),
    Line("ack p99", _times("ack", "p99_s"), "ms", {PLAYHEAD: 150.0}),
    Line("push p50", _times("push", "p50_s"), "ms", {}),
    Line("push p99", _times("push", "p99_s"), "ms", {PLAYHEAD: 250.0}),
    Line("handshake to head p50", _times("opening", "p50_s"), "ms", {}),
    Line("durable, playing, max", _times("durable_playing", "max_s"), "s", {PLAYHEAD: 31.0}, 1),
    Line("durable, pause or seek, max", _times("durable_flushed", "max_s"), "s", {PLAYHEAD: 1.5}, 1),
    Line("the load's lateness p99", _times("late", "p99_s"), "ms", {}),
    Line("the load's CPU per update", lambda r: 1e6 * r.load_cpu_s / r.updates, "µs", {}),
    Line("server CPU when idle", lambda r: r.idle.all_cpu_s / r.idle.seconds, "cores", {}, 2),
    Line("wrong or lost", lambda r: r.faults, "", {PLAYHEAD: 0.0}),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line filled in: by server the median with the least and the most, by peer the ratio to it, the goals
    with whether each is met."""

    line: Line
    medians: Mapping[str, float]
    spans: Mapping[str, tuple[float, float]]
    ratios: Mapping[str, float]
    goals: Mapping[str, bool]

    def cell(self, server: str) -> str:
        """What the table says of a server: the median, and the span if there was more than one run."""
        if server not in self.medians:
            return "-"
        low, high = self.spans[server]
        said = f"{self.medians[server]:.{self.line.digits}f}"
        span = f" ({low:.{self.line.digits}f}-{high:.{self.line.digits}f})" if low != high else ""
        return f"{said}{span} {self.line.unit}".strip()

    def ratio(self, peer: str, met: str, missed: str) -> str:
        """Playhead over a peer, and the goal with its verdict if there is one; empty if it says nothing."""
        if peer not in self.ratios:
            return ""
        said = f"{self.ratios[peer]:.2f} ×"
        if peer not in self.goals:
            return said
        return f"{said} (≤ {self.line.limits[peer]:g} {self._verdict(peer, met, missed)})"

    def goal(self, met: str, missed: str) -> str:
        """The goal that needs no peer, with its verdict; empty if there is none."""
        if PLAYHEAD not in self.goals:
            return ""
        limit = self.line.limits[PLAYHEAD]
        said = f"≤ {limit:g} {self.line.unit}".strip() if limit else "0"
        return f"{said} {self._verdict(PLAYHEAD, met, missed)}"

    def _verdict(self, whom: str, met: str, missed: str) -> str:
        return met if self.goals[whom] else missed


def rows(runs: Sequence[Measured]) -> list[Row]:
    """The table."""
    return [_row(line, runs) for line in LINES]


def _row(line: Line, runs: Sequence[Measured]) -> Row:
    values: dict[str, list[float]] = {}
    for run in runs:
        values.setdefault(run.server, []).append(line.of(run))
    medians = {server: median(found) for server, found in values.items()}
    spans = {server: (min(found), max(found)) for server, found in values.items()}
    ours = medians.get(PLAYHEAD)
    ratios = {}
    if ours is not None and line.unit:
        ratios = {peer: ours / theirs for peer, theirs in medians.items() if peer != PLAYHEAD and theirs > 0}
    goals = {}
    for whom, limit in line.limits.items():
        found = ours if whom == PLAYHEAD else ratios.get(whom)
        if found is not None:
            goals[whom] = found <= limit
    return Row(line, medians, spans, ratios, goals)


def servers(runs: Sequence[Measured]) -> list[str]:
    """Who was measured, in the order of the first round."""
    return list(dict.fromkeys(run.server for run in runs))


def show(runs: Sequence[Measured], title: str, console: Console) -> None:
    """Print the table, and what was wrong."""
    names = servers(runs)
    table = Table(title=title)
    for column in ("median (least-most)", *names, *(f"/ {name}" for name in _peers(names)), "goal"):
        table.add_column(column, overflow="fold")
    for row in rows(runs):
        table.add_row(row.line.name, *_cells(row, names, "[green]ok[/]", "[red]missed[/]"))
    console.print(table)
    for run in runs:
        for fault in run.faults_kept:
            console.print(f"[red]wrong:[/] {run.server}: {fault}", soft_wrap=True)


def markdown(runs: Sequence[Measured]) -> str:
    """The table for the README."""
    names = servers(runs)
    heads = ["median (least-most)", *names, *(f"Playhead / {name}" for name in _peers(names)), "goal"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row in rows(runs):
        name = f"&nbsp;&nbsp;{row.line.name.strip()}" if row.line.name.startswith(" ") else row.line.name
        lines.append(_line([name, *_cells(row, names, "ok", "**misses**")]))
    return "\n".join(lines)


def plain(runs: Sequence[Measured]) -> dict[str, Any]:
    """For a JSON file: every run, and the table."""
    return {
        "runs": [run.plain() for run in runs],
        "table": [
            {
                "name": row.line.name.strip(),
                "unit": row.line.unit,
                "medians": row.medians,
                "ratios": row.ratios,
                "limits": row.line.limits,
                "met": row.goals,
            }
            for row in rows(runs)
        ],
    }


def _peers(names: Sequence[str]) -> list[str]:
    return [name for name in names if name != PLAYHEAD] if PLAYHEAD in names else []


def _cells(row: Row, names: Sequence[str], met: str, missed: str) -> list[str]:
    ratios = [row.ratio(name, met, missed) for name in _peers(names)]
    return [*(row.cell(name) for name in names), *ratios, row.goal(met, missed)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
