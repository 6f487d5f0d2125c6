"""The timeline taken apart: beats, the ends of plays, and who may change places."""

from pathlib import Path

from gateway.replay.reading import read
from gateway.replay.shuffle import Shuffle
from gateway.replay.steps import Step, mix_connects, steps_of


def _steps(corpus: Path, name: str) -> list[Step]:
    return steps_of(read(next(corpus.glob(f"{name}-*.json"))))


def test_beat_goes_before_the_action_at_the_same_instant(corpus: Path) -> None:
    steps = _steps(corpus, "s29")
    order = [(step.what, step.index) for step in steps if step.at_ms == steps[-1].at_ms]
    assert order == [("beat", 5), ("act", 6), ("act", 7)]


def test_player_stops_by_itself_only_if_nothing_else_happens(corpus: Path) -> None:
    assert [step.index for step in _steps(corpus, "n82") if step.what == "stop"] == []
    assert {step.index for step in _steps(corpus, "n65") if step.what == "stop"} == {1}


def test_unfinished_beat_of_a_dying_device_reaches_only_the_disk(corpus: Path) -> None:
    steps = [step for step in _steps(corpus, "n70") if step.what in ("beat", "disk")]
    assert [(step.what, step.from_ms, step.to_ms) for step in steps if step.index == 1][-1] == (
        "disk", 120_000, 123_000,
    )  # fmt: skip
    assert [(step.what, step.to_ms) for step in steps if step.index == 4] == [
        ("beat", 133_000),
        ("beat", 143_000),
    ]


def test_only_devices_that_connect_together_change_places(corpus: Path) -> None:
    trace = read(next(corpus.glob("n60-*.json")))
    plain = steps_of(trace)
    orders = set()
    for seed in range(12):
        mixed = mix_connects(trace, plain, Shuffle(seed, "a"))
        assert sorted(mixed, key=plain.index) == plain
        assert [step.at_ms for step in mixed] == [step.at_ms for step in plain]
        orders.add(tuple(step.index for step in mixed if step.index >= 10))
    assert len(orders) == 6
    assert mix_connects(trace, plain, Shuffle(None, "a")) == plain
