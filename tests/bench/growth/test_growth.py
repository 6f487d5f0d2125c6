"""Growth on paper, small: the table's claims hold, and the bill follows from its inputs."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest

from bench.growth.__main__ import main
from bench.growth.cost import bill, of_fleet, read
from bench.growth.simulation import changes, evenness
from bench.growth.students import BUSY_WORK, Crowd, gather
from bench.growth.ways import Ring


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return gather(100_000, 1024, seed=1)


def test_a_folded_crowd_is_the_crowd_of_fewer_slots(crowd: Crowd) -> None:
    few = Counter(crc32(b"student-%d" % number) % 256 for number in range(100_000))
    assert crowd.fold(256).sessions == [few[slot] for slot in range(256)]
    assert sum(crowd.fold(256).work) == pytest.approx(100_000) and BUSY_WORK == 0.2


def test_256_slots_do_for_tens_of_shards_and_not_for_hundreds(crowd: Crowd) -> None:
    found = {(one.slots, one.shards): one.balance for one in evenness(crowd, [16, 300], [256, 1024])}
    assert found[256, 16].slots == 1.0 and found[256, 16].empty == 0
    assert found[256, 300].empty == 44
    assert found[1024, 300].empty == 0 and found[1024, 300].slots < 1.2


def test_placement_is_more_even_than_hashing_and_moves_no_more_than_it_must(crowd: Crowd) -> None:
    rows = list(changes(crowd, shards=40, per_node=4))
    ours = {row.change: row for row in rows if row.way.startswith("place")}
    for row in rows:
        assert ours[row.change].balance.sessions <= row.balance.sessions
        assert row.moved <= row.least * 1.5 + 0.03
    # Slots are whole, so a single shard takes the nearest number of them.
    assert all(row.moved <= row.least * 1.15 + 0.01 for row in ours.values())
    assert max(row.balance.sessions for row in ours.values()) < 1.25


def test_a_shard_more_on_the_ring_takes_slots_only_to_itself(crowd: Crowd) -> None:
    way = Ring(crowd, range(10))
    before = way.owners
    way.change(range(11))
    assert {new for old, new in zip(before, way.owners, strict=True) if old != new} == {10}


def test_the_bill_is_linear_but_for_the_calls_between_gateways_and_shards() -> None:
    figures = read()
    cells = replace(figures, plan=replace(figures.plan, cell_students=50_000))
    small, large = bill(cells, 100_000), bill(cells, 1_000_000)
    assert large.cells == 20 and large.cores == pytest.approx(10 * small.cores)
    assert large.rows_per_s == 1_000_000 * figures.plan.rows_per_student_s
    in_one = replace(figures, plan=replace(figures.plan, cell_students=0))
    assert bill(in_one, 1_000_000).update_us > 2 * large.update_us


def test_a_run_of_the_fleet_gives_what_an_update_costs_beside_calls_and_idling() -> None:
    def phase(
        seconds: float, shards: float, gateways: float, postgres: float, ray: float
    ) -> dict[str, object]:
        used = {"shards": shards, "socket gateways": gateways, "Postgres": postgres, "Ray": ray}
        return {"seconds": seconds, "cpu_s": used}

    run = {
        "title": "a run",
        "students": 1024,
        "shards": 2,
        "gateways": 2,
        "updates": 100_000,
        "cpu_us_per_connection": 500.0,
        "costs": {
            "idle": phase(10, 0.1, 0.1, 0.0, 0.2),
            "connect": phase(10, 9, 9, 9, 9),
            "window": phase(20, 8.0, 6.0, 2.0, 1.4),
            "tail": phase(10, 1, 1, 1, 1),
            "memory_before": {"shards": 10 << 20, "socket gateways": 0},
            "memory_end": {"shards": 18 << 20, "socket gateways": 2 << 20},
        },
        "actors": {"shard:0": {"batches": 1000}, "shard:1": {"batches": 1000}, "gateway:socket:0": {}},
    }
    found = of_fleet(run, read().measured)
    # Half of 2,000 batches in the window at 3 ms, half in the shard: 1.5 s; idling 0.2 s.
    assert (found.shard_us, found.gateway_us) == (63.0, 43.0)
    assert (found.postgres_us, found.other_us) == (20.0, 10.0)
    assert (found.student_kib, found.idle_cores, found.connection_us) == (10.0, 0.01, 500.0)


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--students", "20000", "--shards", "30", "--slots", "1024", "--per-node", "3"]
    assert main([*options, "--json", str(tmp_path / "g.json"), "--svg", str(tmp_path / "g.svg")]) == 0
    printed = capsys.readouterr().out
    assert "rendezvous" in printed and "Postgres rows" in printed
    found = json.loads((tmp_path / "g.json").read_text())
    assert found["cost"][0]["students"] == 1_000_000 and len(found["changes"]) == 30
    assert (tmp_path / "g.svg").read_text().startswith("<svg")
