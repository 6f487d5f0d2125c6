"""What a number of concurrent students costs: one formula over the figures of one file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parent / "figures.toml"

DAY_S = 86_400
GIB, KIB = 1 << 30, 1 << 10


@dataclass(frozen=True, slots=True)
class Measured:
    """What one machine measured. Times in µs of CPU; see figures.toml for each."""

    source: str
    shard_us: float
    gateway_us: float
    postgres_us: float
    other_us: float
    batch_us: float
    connection_us: float
    student_kib: float
    idle_cores: float
    wal_bytes_per_row: float
    history_bytes: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What students do, and how full things are run; see figures.toml for each."""

    update_every_s: float
    rows_per_student_s: float
    devices_per_student: float
    connects_per_hour: float
    use_of_core: float
    sessions_per_shard: float
    sockets_per_gateway: float
    patience_s: float
    connections_per_shard: int
    cell_students: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All inputs."""

    measured: Measured
    plan: Plan


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: what, how much with its unit, where it comes from."""

    what: str
    much: str
    source: str


@dataclass(frozen=True, slots=True)
class Bill:
    """What so many students cost. Cores are those in use; `cores_to_buy` leaves the room the plan wants."""

    students: int
    cells: int
    shards: int
    gateways: int
    lanes: int
    batch: float
    update_us: float
    cores: float
    cores_to_buy: int
    memory_gib: float
    rows_per_s: float
    wal_mb_per_s: float
    history_gib_per_day: float
    postgres_connections: int
    lines: tuple[Line, ...]


def read(path: Path = FIGURES) -> Figures:
    """The inputs from a file; a key too many or too few is a `TypeError`."""
    parts = tomllib.loads(path.read_text())
    return Figures(Measured(**parts["measured"]), Plan(**parts["plan"]))


def of_fleet(run: Mapping[str, Any], known: Measured) -> Measured:
    """The figures of a run of `bench.fleet` (its `--json`), by student, update and connection; what a fleet
    does not measure stays as known. Idle processes and the fixed cost of calls are taken out: the formula has
    them on their own."""
    phases = {name: run["costs"][name] for name in ("idle", "connect", "window", "tail")}
    window = phases["window"]
    seconds = sum(phases[name]["seconds"] for name in ("connect", "window", "tail"))
    batches = sum(actor.get("batches") or 0 for actor in run["actors"].values())
    calls_s = batches * window["seconds"] / seconds * known.batch_us / 2e6

    def per_update_us(*groups: str, calls: float = 0.0) -> float:
        spent_s: float = sum(window["cpu_s"].get(group, 0.0) for group in groups) - calls
        idle_s: float = sum(phases["idle"]["cpu_s"].get(group, 0.0) for group in groups)
        rest_s: float = idle_s / phases["idle"]["seconds"] * window["seconds"]
        return round(max(0.0, spent_s - rest_s) / float(run["updates"]) * 1e6, 1)

    named = {"shards", "socket gateways", "Postgres"}
    live = ("shards", "socket gateways")
    before, end = run["costs"]["memory_before"], run["costs"]["memory_end"]
    grown = {group: end.get(group, 0) - before.get(group, 0) for group in live}
    processes = run["shards"] + run["gateways"]
    return replace(
        known,
        source=run["title"],
        shard_us=per_update_us("shards", calls=calls_s),
        gateway_us=per_update_us("socket gateways", calls=calls_s),
        postgres_us=per_update_us("Postgres"),
        other_us=per_update_us(*(set(window["cpu_s"]) - named)),
        connection_us=round(run["cpu_us_per_connection"], 1),
        student_kib=round(sum(grown.values()) / run["students"] / KIB, 1),
        idle_cores=round(sum(phases["idle"]["cpu_s"].values()) / phases["idle"]["seconds"] / processes, 3),
    )


def bill(figures: Figures, students: int) -> Bill:
    """The table for so many students who are connected and play at the same time."""
    measured, plan = figures.measured, figures.plan
    cells = ceil(students / plan.cell_students) if plan.cell_students else 1
    updates_s = students / plan.update_every_s
    shard_cores = updates_s * measured.shard_us / 1e6
    gateway_cores = updates_s * measured.gateway_us / 1e6
    sockets = students * plan.devices_per_student
    connects_s = sockets * plan.connects_per_hour / 3600
    shards = _each(cells, students / plan.sessions_per_shard, shard_cores / plan.use_of_core)
    gateways = _each(cells, sockets / plan.sockets_per_gateway, gateway_cores / plan.use_of_core)
    lanes = shards // cells * (gateways // cells) * cells
    # A batch collects for so long from its first update on, and the next one begins with the next update.
    batches_s = lanes / (plan.patience_s + lanes / updates_s)
    batch_cores = batches_s * measured.batch_us / 1e6
    postgres_cores = updates_s * measured.postgres_us / 1e6
    other_cores = updates_s * measured.other_us / 1e6
    connect_cores = connects_s * measured.connection_us / 1e6
    idle_cores = (shards + gateways) * measured.idle_cores
    cores = sum(
        (shard_cores, gateway_cores, batch_cores, postgres_cores, other_cores, connect_cores, idle_cores)
    )
    rows_s = students * plan.rows_per_student_s
    memory_gib = students * measured.student_kib * KIB / GIB
    found = {
        "cells": cells,
        "shards": shards,
        "gateways": gateways,
        "lanes": lanes,
        "batch": updates_s / batches_s,
        "update_us": (cores - connect_cores) / updates_s * 1e6,
        "cores": cores,
        "cores_to_buy": ceil(cores / plan.use_of_core),
        "memory_gib": memory_gib,
        "rows_per_s": rows_s,
        "wal_mb_per_s": rows_s * measured.wal_bytes_per_row / 1e6,
        "history_gib_per_day": rows_s * measured.history_bytes * DAY_S / GIB,
        "postgres_connections": shards * plan.connections_per_shard,
    }
    lines = (
        Line("updates", f"{updates_s:,.0f} /s", f"one per {plan.update_every_s:g} s"),
        Line("cells", f"{cells:,}", "cell_students" if plan.cell_students else "all in one"),
        Line("shards", f"{shards:,}", f"{students / shards:,.0f} sessions each"),
        Line("socket gateways", f"{gateways:,}", f"{sockets / gateways:,.0f} sockets each"),
        Line("lanes gateway x shard", f"{lanes:,}", f"{updates_s / lanes:,.0f} updates/s on each"),
        Line("updates in a batch", f"{found['batch']:.1f}", f"collected for {plan.patience_s * 1000:g} ms"),
        Line("cores: shards", f"{shard_cores:.1f}", f"{measured.shard_us:g} µs an update"),
        Line("cores: socket gateways", f"{gateway_cores:.1f}", f"{measured.gateway_us:g} µs an update"),
        Line("cores: Ray calls", f"{batch_cores:.1f}", f"{measured.batch_us:g} µs a batch"),
        Line("cores: Postgres", f"{postgres_cores:.1f}", f"{measured.postgres_us:g} µs an update"),
        Line("cores: Ray and the rest", f"{other_cores:.1f}", f"{measured.other_us:g} µs an update"),
        Line("cores: connecting", f"{connect_cores:.1f}", f"{connects_s:,.0f} connections/s"),
        Line("cores: processes at rest", f"{idle_cores:.1f}", f"{measured.idle_cores:g} each"),
        Line("cores in use", f"{cores:.0f}", f"{found['update_us']:.0f} µs an update"),
        Line("cores to buy", f"{found['cores_to_buy']:,}", f"{plan.use_of_core:.0%} in use"),
        Line("memory of gateways and shards", f"{memory_gib:.0f} GiB", f"{measured.student_kib:g} KiB each"),
        Line("Postgres rows", f"{rows_s:,.0f} /s", f"{plan.rows_per_student_s:g} /s a student"),
        Line(
            "Postgres WAL", f"{found['wal_mb_per_s']:.0f} MB/s", f"{measured.wal_bytes_per_row:,.0f} B a row"
        ),
        Line(
            "history on disk",
            f"{found['history_gib_per_day']:,.0f} GiB/day",
            f"{measured.history_bytes:g} B a row, if all play all day",
        ),
        Line("Postgres connections", f"{found['postgres_connections']:,}", "all cells together"),
    )
    return Bill(students=students, lines=lines, **found)  # type: ignore[arg-type]


def _each(cells: int, *needs: float) -> int:
    """So many processes for the greatest need, the same number in every cell."""
    return cells * max(1, ceil(max(needs) / cells - 1e-9))
