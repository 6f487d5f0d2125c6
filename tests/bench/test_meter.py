"""The meter counts every process of the server once, with what its ended children spent, and no load."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.meter import LOAD, OTHER, Meter, Process, Reading

BURN_S = 0.3
TICKS_S = 0.05
"""The kernel counts CPU time of processes in whole ticks of 10 ms."""
BURN = f"""
import time
while time.process_time() < {BURN_S}: pass
"""
PARENT = f"""
import subprocess, sys
burn = {BURN!r}
subprocess.run([sys.executable, "-c", burn])
waits = burn + "print('burnt', flush=True); sys.stdin.read()"
child = subprocess.Popen([sys.executable, "-c", "import sys" + waits], stdin=subprocess.PIPE)
input()
"""


@contextmanager
def burning() -> Iterator[subprocess.Popen[str]]:
    """A process that burnt nothing itself, with a child that did and ended and one that did and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "burnt\n"
        yield process
    finally:
        process.communicate()


def test_descendants_belong_to_the_named_process_above_them() -> None:
    with burning() as process:
        meter = Meter(os.getpid(), {process.pid: "shards"})
        groups = meter.groups()
        assert list(groups.values()).count("shards") == 2
        assert groups[process.pid] == "shards"
        spent = meter.read().cpu_s["shards"]
        assert spent >= 2 * BURN_S - TICKS_S
        assert meter.memory_bytes()["shards"] > 2_000_000


def test_what_has_no_name_is_of_ray() -> None:
    with burning() as process:
        assert Meter(os.getpid(), {}).groups()[process.pid] == OTHER


def test_the_load_and_its_children_are_left_out() -> None:
    with burning() as process:
        meter = Meter(os.getpid(), {process.pid: "shards"})
        meter.leave_out([process.pid])
        assert "shards" not in meter.read().cpu_s
        assert process.pid not in meter.groups()


def test_a_phase_is_the_difference_of_two_readings() -> None:
    with burning() as process:
        meter = Meter(os.getpid(), {process.pid: "shards"})
        first = meter.read()
        assert meter.read().since(first)["shards"] < BURN_S
        assert first.since(meter.read())["shards"] <= 0


def reading(**processes: tuple[str, int, float]) -> Reading:
    return Reading({int(name[1:]): Process(*fields) for name, fields in processes.items()})


def test_a_process_that_becomes_known_by_name_brings_along_only_what_it_spent_since() -> None:
    before = reading(p1=(OTHER, 0, 1.0), p2=(OTHER, 1, 5.0))
    now = reading(p1=(OTHER, 0, 1.5), p2=("shards", 1, 6.0))
    assert now.since(before) == {OTHER: 0.5, "shards": 1.0}


def test_a_process_that_has_ended_is_not_counted_again_with_its_parent() -> None:
    before = reading(p1=(OTHER, 0, 1.0), p2=("shards", 1, 5.0))
    now = reading(p1=(OTHER, 0, 1.0 + 5.0 + 0.25))
    assert now.since(before) == {OTHER: 0.25}


def test_the_load_is_counted_apart() -> None:
    before = reading(p1=("shards", 0, 1.0), p2=(LOAD, 0, 1.0))
    now = reading(p1=("shards", 0, 2.0), p2=(LOAD, 0, 4.0))
    assert now.since(before) == {"shards": 1.0}
    assert now.spent_since(before) == {"shards": 1.0, LOAD: 3.0}
