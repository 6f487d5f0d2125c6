"""Which shard a student's slot is on, and where all slots go when a shard comes."""

from actors.core.placement import place, slot_of
from bench.micro.subjects import Benchmark

SHARDS = [f"shard:{number}" for number in range(16)]


def test_slot_of(benchmark: Benchmark) -> None:
    benchmark(slot_of, "micro-student-12345")


def test_place_one_more(benchmark: Benchmark) -> None:
    former = place(SHARDS)
    benchmark(place, [*SHARDS, "shard:16"], former)
