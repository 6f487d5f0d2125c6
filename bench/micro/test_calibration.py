"""The loop everything else is a ratio to: what Python does most, and nothing of ours."""

from bench.micro.subjects import Benchmark


def test_calibration(benchmark: Benchmark) -> None:
    benchmark(loop)


def loop() -> int:
    found: dict[str, int] = {}
    for number in range(1000):
        key = f"key-{number & 31}"
        found[key] = found.get(key, 0) + len(key)
    return sum(found.values())
