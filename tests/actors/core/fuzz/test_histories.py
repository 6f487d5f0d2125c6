"""R1 to R10 hold of ten thousand histories made from seeds, and what quizzes ask for of two thousand.

`--seeds N` takes N of them and a fifth of quizzes, `--seeds-from S` other ones, `--seed S` one only. A
failure prints the history made as short as possible.
"""

from collections.abc import Callable

import pytest

from tests.actors.core.fuzz.histories import History, generate, generate_quiz
from tests.actors.core.fuzz.shrinking import broken_by, shrunk

CHUNKS = 20


def seeds_of(config: pytest.Config) -> list[range]:
    """The seeds to try, in as many parts as there are tests."""
    one, count, first = (config.getoption(name) for name in ("--seed", "--seeds", "--seeds-from"))
    if one is not None:
        return [range(one, one + 1)]
    size = -(-count // CHUNKS)
    return [range(first + start, first + min(start + size, count)) for start in range(0, count, size)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" in metafunc.fixturenames:
        parts = seeds_of(metafunc.config)
        names = [f"{part[0]}-{part[-1]}" for part in parts]
        metafunc.parametrize("seeds", parts, ids=names)


def hold(seed: int, made_by: Callable[[int], History]) -> None:
    history = made_by(seed)
    if broken_by(history):
        short = shrunk(history)
        pytest.fail(
            f"{broken_by(short)}\n{short}\n"
            f"again: pytest tests/actors/core/fuzz/test_histories.py --seed {seed}",
            pytrace=False,
        )


def test_r1_to_r10_hold_of_histories(seeds: range) -> None:
    for seed in seeds:
        hold(seed, generate)


def test_quizzes_hold_of_histories(seeds: range) -> None:
    for seed in seeds[::5]:
        hold(seed, generate_quiz)
