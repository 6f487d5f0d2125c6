"""Folding events: each figure is of one event."""

from collections.abc import Callable

from actors.core.events import Event
from bench.micro.subjects import BEAT_MS, Benchmark, Student

COUNT = 200
ROUNDS = 60

Told = list[tuple[str, Event]]


def test_plain_beat(benchmark: Benchmark) -> None:
    def told() -> tuple[Student, Told]:
        student = Student().begin()
        return student, [("phone", event) for event in student.beats("phone", 0, COUNT)]

    _fold(benchmark, told)


def test_rewatch(benchmark: Benchmark) -> None:
    def told() -> tuple[Student, Told]:
        student = Student().begin()
        student.fold("phone", *student.beats("phone", 0, COUNT))
        student.fold("phone", student.event("phone", "sought", student.rev, position_ms=0))
        return student, [("phone", event) for event in student.beats("phone", student.rev, COUNT)]

    _fold(benchmark, told)


def test_hand_off(benchmark: Benchmark) -> None:
    """Every second event is a `chosen` on the other device, which takes the head and the baton there."""

    def begun() -> Student:
        student = Student().begin()
        student.fold("phone", *student.beats("phone", 0, 2))
        student.fold("tv", student.event("tv", "opened", student.rev))
        return student

    def told() -> tuple[Student, Told]:
        twin, place_ms, events = begun(), 2 * BEAT_MS, Told()
        for turn in range(COUNT // 2):
            device, base = ("tv", "phone")[turn % 2], twin.rev
            run = [
                twin.event(device, "chosen", base, position_ms=place_ms),
                *twin.beats(device, base, 1, place_ms),
            ]
            twin.fold(device, *run)
            events += [(device, event) for event in run]
            place_ms += BEAT_MS
        return begun(), events

    _fold(benchmark, told)


def test_late_journal(benchmark: Benchmark) -> None:
    """What one device played off line arrives when the other has long moved the head."""

    def told() -> tuple[Student, Told]:
        student = Student().begin()
        student.fold("tv", student.event("tv", "opened", 0), student.event("tv", "play", 0, position_ms=0))
        late = student.beats("tv", 0, COUNT, 50 * BEAT_MS)
        student.fold("phone", *student.beats("phone", 0, 40))
        return student, [("tv", event) for event in late]

    _fold(benchmark, told)


def _fold(benchmark: Benchmark, told: Callable[[], tuple[Student, Told]]) -> None:
    benchmark.extra_info["operations"] = len(told()[1])

    def fold(student: Student, events: Told) -> None:
        for device, event in events:
            student.fold(device, event)

    benchmark.pedantic(fold, setup=lambda: (told(), {}), rounds=ROUNDS)
