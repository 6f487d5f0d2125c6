"""The table: percentiles by nearest rank, goals that are missed are called missed."""

import json
from dataclasses import replace

from rich.console import Console

from bench.checker import Faults
from bench.report import Costs, Figures, Phase, Times, markdown, percentile, rows, show

MIB = 1024 * 1024


def figures() -> Figures:
    quick = Times(100, 0.01, 0.02, 0.03)
    phase = Phase(10.0, {"shards": 0.6, "Postgres": 0.4})
    before = {"shards": 100 * MIB, "Postgres": 50 * MIB}
    after = {"shards": 101 * MIB, "Postgres": 90 * MIB}
    names = ("opening", "late", "ack", "push", "durable_playing", "durable_flushed")
    return Figures(
        seed=1,
        students=1000,
        rate=1.0,
        shards=2,
        gateways=1,
        loaders=1,
        connections=1100,
        updates=20_000,
        times=dict.fromkeys(names, quick),
        costs=Costs(phase, phase, phase, phase, before, after, after),
        load_cpu_s=1.0,
        frames_in=1,
        bytes_in=1,
        older_heads=0,
        closes={},
        faults=Faults(),
        actors={"shard:0": {"restarts": 0}},
    )


def test_percentiles_are_by_nearest_rank() -> None:
    hundred = [float(n) for n in range(1, 101)]
    assert (percentile(hundred, 0.5), percentile(hundred, 0.99), percentile([7.0], 0.99)) == (50, 99, 7)
    assert Times.of([]) == Times(0, 0.0, 0.0, 0.0)
    assert Times.of(hundred).max_s == 100


def test_cost_is_per_update_and_memory_of_gateways_and_shards_per_student() -> None:
    found = figures()
    assert found.updates_per_s == 2000
    assert sum(found.cpu_us_per_update.values()) == 50
    idle = replace(found.costs, idle=Phase(10.0, {"Ray": 0.1}))
    assert round(replace(found, costs=idle).cpu_us_per_update_all_in, 6) == 90
    assert found.kib_per_student(found.costs.memory_connected) == 1.024
    assert not [row.name for row in rows(found) if row.missed and row.name != "CPU per connection"]


def test_a_missed_goal_is_named() -> None:
    slow = replace(figures(), times={**figures().times, "ack": Times(1, 0.1, 0.2, 0.3)})
    assert [row.name for row in rows(slow) if row.missed] == ["CPU per connection", "ack: send to applied"]
    assert "| ack: send to applied | p50 100 ms, p99 200 ms, max 300 ms | p99 < 150 ms | **misses** |" in (
        markdown(slow)
    )


def test_faults_are_shown_in_words_and_counted() -> None:
    wrong = figures()
    for _ in range(30):
        wrong.faults.add("foreign head", "student 3", "rev 5 at 17 ms")
    console = Console(record=True, width=120, file=None)
    with console.capture() as said:
        show(wrong, console)
    assert "foreign head: student 3: rev 5 at 17 ms" in said.get()
    assert "30 × foreign head" in said.get()


def test_faults_are_plain_in_the_json() -> None:
    found = figures()
    found.faults.add("lost head", "student 3 on 3-phone", "the last head never came")
    assert json.loads(json.dumps(found.plain()))["faults"]["kinds"] == {"lost head": 1}
