"""What a run of the fleet says: the figures, the goals beside them, and the table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.checker import Faults
from bench.measures import Phase, Times, percentile
from bench.scale import PAUSE_GOAL_S, Scaled
from bench.slope import Slope
from bench.storm import BACK_GOAL_S, Return, Storm

__all__ = ["KIB", "LIVE", "Costs", "Figures", "Phase", "Times", "markdown", "percentile", "rows", "show"]

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Costs:
    """What the run cost the server.

    `idle`: before anybody connected; `connect`: from the first handshake to the last head; `window`: from
    the first planned update to the last; `tail`: from there until all was durable. Memory in bytes by group:
    before anybody connected, when all were, at the end of the window.
    """

    idle: Phase
    connect: Phase
    window: Phase
    tail: Phase
    memory_before: Mapping[str, int]
    memory_connected: Mapping[str, int]
    memory_end: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything one run measured. `times` are named as in `Loader.result`, `actors` is what they say of
    themselves at the end (`Directory.stats`). `load` says in words what else is special about it;
    `transactions` are Postgres' by phase, `over_time` is as `plot.OverTime`, `reconnects` counts attempts to
    come back, `postponed` how often one was told when to, after the connect phase, `turned_away` in it."""

    seed: int
    students: int
    rate: float
    shards: int
    gateways: int
    loaders: int
    connections: int
    updates: int
    times: Mapping[str, Times]
    costs: Costs
    load_cpu_s: float
    frames_in: int
    bytes_in: int
    older_heads: int
    closes: Mapping[str, int]
    faults: Faults
    actors: Mapping[str, Any]
    load: str = ""
    load_memory: int = 0
    transactions: Mapping[str, int] = field(default_factory=dict)
    over_time: Mapping[str, Any] = field(default_factory=dict)
    slopes: Sequence[Slope] = ()
    storm: Storm | None = None
    back: Return | None = None
    scaled: Sequence[Scaled] = ()
    postponed: int = 0
    reconnects: int = 0
    turned_away: int = 0

    @property
    def title(self) -> str:
        """What was run."""
        return (
            f"fleet, seed {self.seed}: {self.students} students at {self.rate:g}/s each{self.load}, "
            f"{self.shards} shards, {self.gateways} socket gateway(s)"
        )

    @property
    def restarts(self) -> int:
        """How often an actor was started again."""
        return sum(actor["restarts"] for actor in self.actors.values())

    @property
    def updates_per_s(self) -> float:
        """Updates sent per second of the window."""
        return self.updates / self.costs.window.seconds

    @property
    def cpu_us_per_update(self) -> dict[str, float]:
        """Server CPU of the window per update, by group."""
        return {group: 1e6 * cpu_s / self.updates for group, cpu_s in self.costs.window.cpu_s.items()}

    @property
    def cpu_us_per_connection(self) -> float:
        """Server CPU of the connect phase per connection, everything that ran meanwhile included."""
        return 1e6 * self.costs.connect.all_cpu_s / max(self.connections, 1)

    @property
    def cpu_us_per_update_all_in(self) -> float:
        """Server CPU per update from the first update to the last durable, less what it takes when idle.

        A server that falls behind works off the window after it, so the window alone would flatter it.
        """
        costs = self.costs
        seconds = costs.window.seconds + costs.tail.seconds
        spent_s = costs.window.all_cpu_s + costs.tail.all_cpu_s
        return 1e6 * (spent_s - seconds * costs.idle.all_cpu_s / costs.idle.seconds) / self.updates

    def kib_per_student(self, at: Mapping[str, int]) -> float:
        """Growth of gateways and shards since nobody was connected, per student, in KiB."""
        before = self.costs.memory_before
        return sum(at.get(group, 0) - before.get(group, 0) for group in LIVE) / self.students / KIB

    def plain(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self) | {
            "faults": self.faults.plain(),
            "title": self.title,
            "updates_per_s": self.updates_per_s,
            "cpu_us_per_update": {**self.cpu_us_per_update, "all": sum(self.cpu_us_per_update.values())},
            "cpu_us_per_update_all_in": self.cpu_us_per_update_all_in,
            "cpu_us_per_connection": self.cpu_us_per_connection,
            "kib_per_student": self.kib_per_student(self.costs.memory_connected),
        }


LIVE = ("socket gateways", "shards")
"""Groups whose memory grows with students."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: `wrong` marks a goal that is missed."""

    name: str
    measured: str
    goal: str = ""
    missed: bool = False


def rows(figures: Figures) -> list[Row]:
    """The table, goals included."""
    times = figures.times
    return [
        Row("students / connections", f"{figures.students} / {figures.connections}"),
        Row("updates", f"{figures.updates} in {_s(figures.costs.window)} = {figures.updates_per_s:.0f}/s"),
        Row("wrong or lost", str(figures.faults.total), "0", figures.faults.total > 0),
        *_cpu(figures),
        Row("handshake to head", _ms(times["opening"])),
        _latency("ack: send to applied", times["ack"], ACK_S),
        _latency("push: send to the other device", times["push"], PUSH_S),
        _lag("durable, playing", times["durable_playing"], DURABLE_PLAYING_S),
        _lag("durable, pause or seek", times["durable_flushed"], DURABLE_FLUSHED_S),
        *_memory(figures),
        *_storm(figures),
        *(row for change in figures.scaled for row in _scaled(change)),
        *_slopes(figures),
        _latency("the load's own lateness", times["late"], LATE_S),
        *_load(figures),
        Row("turned away while connecting", str(figures.turned_away)),
        Row("closes since / restarts", f"{_closes(figures)} / {figures.restarts}"),
    ]


def _load(figures: Figures) -> list[Row]:
    per_update_us = 1e6 * figures.load_cpu_s / figures.updates
    kib = figures.load_memory / max(figures.connections, 1) / KIB
    return [
        Row("the load's own CPU", f"{per_update_us:.0f} µs per update, {figures.loaders} process(es)"),
        Row("the load's own memory", f"{figures.load_memory / MIB:.0f} MiB, {kib:.1f} KiB a device"),
    ]


def _closes(figures: Figures) -> str:
    if not figures.closes:
        return "0"
    return ", ".join(f"{count} × {code}" for code, count in sorted(figures.closes.items()))


def _storm(figures: Figures) -> list[Row]:
    storm, back = figures.storm, figures.back
    if storm is None or back is None:
        return []
    missed = back.all_s is None or back.all_s > BACK_GOAL_S
    shares = ", ".join(
        f"{share} {'never' if at_s is None else f'{at_s:.1f} s'}"
        for share, at_s in (("50 %", back.half_s), ("95 %", back.most_s), ("all", back.all_s))
    )
    usual = storm.usual_per_s * storm.phase.seconds
    per_return_us = 1e6 * storm.phase.all_cpu_s / max(back.back, 1)
    growth = (storm.memory_peak - storm.memory_before) / MIB
    return [
        Row(
            f"storm ({storm.plan.kind}): lost, back",
            f"{back.lost}, {back.back}",
            "all",
            back.lost != back.back,
        ),
        Row("  heads back after", shares, f"all < {BACK_GOAL_S:g} s", missed),
        Row("  told when to come back", f"{figures.postponed} times; {figures.reconnects} attempts"),
        Row("  Postgres meanwhile", f"{storm.transactions} transactions, {usual:.0f} of them as before"),
        Row("  server CPU meanwhile", f"{per_return_us:.0f} µs per device, the updates' included"),
        Row("  memory of gateways and shards", f"at most {growth:+.0f} MiB"),
        Row("  ack of what was made off line", _ms(figures.times["ack_back"])),
    ]


def _scaled(change: Scaled) -> list[Row]:
    what = f"{change.before} → {change.wish.shards} shards at second {change.wish.at_s:g}"
    again = f", {change.again} tried again" if change.again else ""
    missed = change.pauses.p99_s > PAUSE_GOAL_S or not change.moved
    return [
        Row(what, f"{change.moved} slots moved in {change.seconds:.1f} s{again}"),
        Row("  pause of a slot", _ms(change.pauses), f"p99 ≤ {1000 * PAUSE_GOAL_S:g} ms", missed),
    ]


def _slopes(figures: Figures) -> list[Row]:
    return [
        Row(
            f"memory over time: {slope.group}",
            f"{slope.begin_mib:.0f} → {slope.end_mib:.0f} MiB, {slope.mib_per_hour:+.0f} MiB/h "
            f"({slope.percent_per_hour:+.1f} %/h)",
        )
        for slope in figures.slopes
    ]


def _cpu(figures: Figures) -> list[Row]:
    costs, per_update = figures.costs, figures.cpu_us_per_update
    total_us, per_connection_us = sum(per_update.values()), figures.cpu_us_per_connection
    connected_per_s = figures.connections / costs.connect.seconds
    return [
        Row("server CPU per update", f"{total_us:.0f} µs", "≤ 59 µs", total_us > CPU_UPDATE_US),
        *_split(per_update),
        Row("  to the last durable, less idle", f"{figures.cpu_us_per_update_all_in:.0f} µs"),
        Row("server CPU when idle", f"{costs.idle.all_cpu_s / costs.idle.seconds:.2f} cores"),
        Row(
            "CPU per connection",
            f"{per_connection_us:.0f} µs ({connected_per_s:.0f} connections/s)",
            "≤ 400 µs",
            per_connection_us > CPU_CONNECTION_US,
        ),
    ]


def _memory(figures: Figures) -> list[Row]:
    costs = figures.costs
    connected = figures.kib_per_student(costs.memory_connected)
    end = figures.kib_per_student(costs.memory_end)
    return [
        Row("memory per student, connected", f"{connected:.1f} KiB", "≤ 16 KiB", connected > MEMORY_KIB),
        Row("  at the end of the window", f"{end:.1f} KiB", "≤ 16 KiB", end > MEMORY_KIB),
        Row("memory of the whole server", f"{sum(costs.memory_end.values()) / MIB:.0f} MiB"),
        Row("Postgres transactions", _counts(figures.transactions)),
    ]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "not read"


CPU_UPDATE_US = 59.0
"""0.6 × Socket.IO, which took 86-99 µs an update for the same work; the ratio counts, not the figure."""
CPU_CONNECTION_US = 400.0
ACK_S, PUSH_S = 0.150, 0.250
LATE_S = 0.100
"""A load later than this was not the load that was asked for, and its latencies flatter the server."""
DURABLE_PLAYING_S, DURABLE_FLUSHED_S = 31.0, 1.5
MEMORY_KIB = 16.0


def _split(per_update: Mapping[str, float]) -> list[Row]:
    groups = sorted(per_update.items(), key=lambda group: -group[1])
    return [Row(f"  {group}", f"{cpu_us:.1f} µs") for group, cpu_us in groups if cpu_us >= 0.05]


def _latency(name: str, times: Times, goal_s: float) -> Row:
    return Row(name, _ms(times), f"p99 < {1000 * goal_s:.0f} ms", times.p99_s >= goal_s)


def _lag(name: str, times: Times, goal_s: float) -> Row:
    figures = f"p50 {times.p50_s:.2f} s, p99 {times.p99_s:.2f} s, max {times.max_s:.2f} s"
    return Row(name, figures if times.count else "none", f"max ≤ {goal_s:g} s", times.max_s > goal_s)


def _ms(times: Times) -> str:
    if not times.count:
        return "none"
    p50, p99, most = (1000 * time_s for time_s in (times.p50_s, times.p99_s, times.max_s))
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {most:.0f} ms"


def _s(phase: Phase) -> str:
    return f"{phase.seconds:.1f} s"


def show(figures: Figures, console: Console) -> None:
    """Print the table, and what was wrong."""
    table = Table(title=figures.title)
    for column in ("what", "measured", "goal"):
        table.add_column(column)
    for row in rows(figures):
        goal = f"[red]{row.goal} missed[/]" if row.missed else row.goal
        table.add_row(row.name, row.measured, goal)
    console.print(table)
    for fault in figures.faults.kept:
        console.print(f"[red]wrong:[/] {fault}", soft_wrap=True)
    for kind, count in figures.faults.kinds.items():
        console.print(f"[red]{count} × {kind}[/]")


def markdown(figures: Figures) -> str:
    """The table for the README."""
    lines = ["| what | measured | goal | |", "|---|---|---|---|"]
    for row in rows(figures):
        verdict = "**misses**" if row.missed else "ok" if row.goal else ""
        name = f"&nbsp;&nbsp;{row.name.strip()}" if row.name.startswith(" ") else row.name
        lines.append(f"| {name} | {row.measured} | {row.goal} | {verdict} |")
    return "\n".join(lines)
