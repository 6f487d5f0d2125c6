"""The union of spans: content watched, and real time spent."""

import random

from actors.core.intervals import Intervals, Span
from bench.micro.subjects import Benchmark

COUNT = 200
ROUNDS = 50


def test_add_in_order(benchmark: Benchmark) -> None:
    _add(benchmark, [(start, start + 10_000) for start in range(0, COUNT * 10_000, 10_000)])


def test_add_scattered(benchmark: Benchmark) -> None:
    starts = [20_000 * place for place in range(COUNT)]
    random.Random(1).shuffle(starts)
    _add(benchmark, [(start, start + 10_000) for start in starts])


def _add(benchmark: Benchmark, spans: list[Span]) -> None:
    benchmark.extra_info["operations"] = len(spans)

    def add(intervals: Intervals) -> None:
        for start, end in spans:
            intervals.add(start, end)

    benchmark.pedantic(add, setup=lambda: ((Intervals(),), {}), rounds=ROUNDS)
