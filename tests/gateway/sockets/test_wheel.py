"""The wheel looks at each object in time, once, and at nothing that was taken off."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from gateway.sockets.wheel import Wheel


class Clock(asyncio.SelectorEventLoop):
    """A loop whose clock we turn; the wheel's timer is called by hand."""

    now_s = 1000.0

    def time(self) -> float:
        return self.now_s


class Bell:
    """Remembers when it was looked at; asks to be looked at again until its time has come."""

    def __init__(self, clock: Clock, at_s: float) -> None:
        self.clock = clock
        self.at_s = at_s
        self.spoke = -1
        self.looks: list[float] = []

    def on_time(self, now_s: float) -> float | None:
        self.looks.append(now_s)
        return None if now_s >= self.at_s else self.at_s


@pytest.fixture
def clock() -> Iterator[Clock]:
    loop = Clock()
    yield loop
    loop.close()


def turn_until(clock: Clock, wheel: Wheel, end_s: float, step_s: float) -> None:
    while clock.now_s < end_s:
        clock.now_s += step_s
        wheel._turn()
        wheel.stop()


@pytest.mark.parametrize("ahead_s", [0.0, 0.1, 0.25, 0.26, 5.0, 63.9, 64.0, 200.0])
@pytest.mark.parametrize("step_s", [0.05, 0.25, 0.26, 3.0, 100.0])
def test_each_is_looked_at_within_a_tick_of_its_time(clock: Clock, ahead_s: float, step_s: float) -> None:
    wheel = Wheel(clock)
    bell = Bell(clock, clock.now_s + ahead_s)
    wheel.hang(bell, bell.at_s)
    turn_until(clock, wheel, bell.at_s + 2 * step_s + 1, step_s)
    last_s = bell.looks[-1]
    assert bell.at_s <= last_s <= bell.at_s + max(step_s, 0.25) + 0.26
    assert bell.spoke == -1


def test_hung_again_it_is_looked_at_at_the_new_time_only(clock: Clock) -> None:
    wheel = Wheel(clock)
    bell = Bell(clock, clock.now_s + 10)
    wheel.hang(bell, clock.now_s + 1)
    wheel.hang(bell, bell.at_s)
    turn_until(clock, wheel, 1020, 0.25)
    assert len(bell.looks) == 1 and bell.looks[0] >= bell.at_s


def test_taken_off_it_is_looked_at_no_more_and_nothing_holds_it(clock: Clock) -> None:
    wheel = Wheel(clock)
    bell = Bell(clock, clock.now_s + 1)
    wheel.hang(bell, bell.at_s)
    wheel.take_off(bell)
    wheel.take_off(bell)
    turn_until(clock, wheel, 1100, 0.25)
    assert bell.looks == [] and not any(wheel._spokes)


def test_one_that_fails_does_not_stop_the_others(clock: Clock) -> None:
    class Broken(Bell):
        def on_time(self, now_s: float) -> float | None:
            raise RuntimeError("broken")

    wheel = Wheel(clock)
    bells = [Broken(clock, 1001), Bell(clock, 1001), Broken(clock, 1001), Bell(clock, 1001)]
    for bell in bells:
        wheel.hang(bell, bell.at_s)
    turn_until(clock, wheel, 1003, 0.25)
    assert [len(bell.looks) for bell in bells] == [0, 1, 0, 1]


def test_one_may_hang_or_take_off_others_while_it_is_looked_at(clock: Clock) -> None:
    wheel = Wheel(clock)
    other = Bell(clock, clock.now_s + 1)
    later = Bell(clock, clock.now_s + 50)

    class Meddler(Bell):
        def on_time(self, now_s: float) -> float | None:
            wheel.take_off(other)
            wheel.hang(later, later.at_s)
            wheel.hang(self, now_s + 1)
            return super().on_time(now_s)

    meddler = Meddler(clock, clock.now_s + 1)
    wheel.hang(other, other.at_s)
    wheel.hang(meddler, meddler.at_s)
    turn_until(clock, wheel, 1060, 0.25)
    assert later.looks and meddler.looks and len(meddler.looks) > 10


def test_a_thousand_at_random_times(clock: Clock) -> None:
    chance = random.Random(3)
    wheel = Wheel(clock)
    bells = [Bell(clock, clock.now_s + chance.uniform(0, 150)) for _ in range(1000)]
    for bell in bells:
        wheel.hang(bell, bell.at_s)
    turn_until(clock, wheel, 1160, 0.1)
    assert all(0 <= bell.looks[-1] - bell.at_s <= 0.61 and len(bell.looks) <= 4 for bell in bells)
