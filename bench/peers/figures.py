"""What one run of one server measured, in the same terms for Playhead and its peers."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.loaders import Result
from bench.report import KIB, LIVE, Phase, Times

PLAYHEAD = "Playhead"
NO_TIMES = Times(0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. The phases are those of `bench.report.Costs`; `kib` is growth per student of the processes
    with connections and state, from nobody connected to all, `kib_end` to the end of the window.
    """

    server: str
    students: int
    connections: int
    updates: int
    idle: Phase
    connect: Phase
    window: Phase
    tail: Phase
    kib: float
    kib_end: float
    times: Mapping[str, Times]
    load_cpu_s: float
    faults: int
    faults_kept: tuple[str, ...]

    @property
    def cpu_us_per_update(self) -> float:
        """All CPU of the server in the window, and what it spent from there until all was durable beyond what
        it takes when idle: a checkpoint that falls after the window belongs to its updates too.
        """
        idle_s = self.tail.seconds * self.idle.all_cpu_s / self.idle.seconds
        spent_s = self.window.all_cpu_s + max(0.0, self.tail.all_cpu_s - idle_s)
        return 1e6 * spent_s / self.updates

    @property
    def cpu_us_per_update_window(self) -> float:
        """The window alone."""
        return 1e6 * self.window.all_cpu_s / self.updates

    @property
    def cpu_us_per_connection(self) -> float:
        """All CPU of the server from the first handshake to the last head."""
        return 1e6 * self.connect.all_cpu_s / max(self.connections, 1)

    def plain(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self) | {
            "cpu_us_per_update": self.cpu_us_per_update,
            "cpu_us_per_update_window": self.cpu_us_per_update_window,
            "cpu_us_per_connection": self.cpu_us_per_connection,
        }


def of_fleet(file: Path) -> Measured:
    """From what `bench.fleet --json` wrote."""
    said = json.loads(file.read_bytes())
    costs = said["costs"]

    def grown(at: str) -> float:
        before = costs["memory_before"]
        bytes_grown: int = sum(costs[at][group] - before.get(group, 0) for group in LIVE)
        return bytes_grown / int(said["students"]) / KIB

    return Measured(
        server=PLAYHEAD,
        students=said["students"],
        connections=said["connections"],
        updates=said["updates"],
        **{name: Phase(**costs[name]) for name in ("idle", "connect", "window", "tail")},
        kib=grown("memory_connected"),
        kib_end=grown("memory_end"),
        times={name: Times(**times) for name, times in said["times"].items()},
        load_cpu_s=said["load_cpu_s"],
        faults=sum(said["faults"]["kinds"].values()),
        faults_kept=tuple(said["faults"]["kept"]),
    )


def of_result(
    server: str, students: int, phases: Mapping[str, Phase], kib: tuple[float, float], result: Result
) -> Measured:
    """From what a peer's loaders measured."""
    return Measured(
        server=server,
        students=students,
        connections=result.connected,
        updates=result.updates,
        **phases,
        kib=kib[0],
        kib_end=kib[1],
        times={name: Times.of(ordered) for name, ordered in result.times.items()},
        load_cpu_s=result.cpu_s,
        faults=result.faults.total,
        faults_kept=tuple(result.faults.kept),
    )
