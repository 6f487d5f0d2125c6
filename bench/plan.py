"""What every student of the fleet does, fixed by a seed before anything starts, and how it must end.

A place says whose it is: `place_ms % unit_ms` and the item name the student, and no place is sent twice but
by a pause, a play or a hand-off that happens exactly there. So every pushed position can be traced to the
update that put the head there.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from actors.core.events import FLUSHED, POSITION_MAX_MS
from actors.core.visit import REAL_PLAY_MS
from persistence.errors import SetupError

ZONES = 16
"""Parts of an item: each seek goes to a fresh one, so a student covers at most half and completes nothing."""

SEEKS_MAX = ZONES // 2 - 1
VERSION = "v1"
KINDS = ("phone", "tv", "web")
"""What a student's devices are called, in the order in which they are had."""

SKEW_EVERY = 100
SKEW_UPDATES = 0.2
"""A skewed load: one student in a hundred (the hot ones) makes a fifth of all updates."""

HOT_PERIOD_MIN_MS = 100
"""Ten updates a second: half of what `welcome` allows (P7)."""


class Step(NamedTuple):
    """One update: which device (0, 1, 2) says what. `from_ms` is for `played`, `opened` has no place."""

    device: int
    kind: str
    place_ms: int = -1
    from_ms: int = -1

    @property
    def flushed(self) -> bool:
        """Whether the server writes it within about a second."""
        return self.kind in FLUSHED


@dataclass(frozen=True, slots=True)
class Mix:
    """The load: `updates` of each student, one every `period_ms`, a pause or seek after about `play_updates`.

    `two` and `three` are the shares of students with so many devices. With `skew` a hundredth of them has a
    fifth of all updates, in the same time. `tag` is part of every id, so that runs on one data folder do not
    meet.
    """

    seed: int
    students: int
    updates: int
    period_ms: int = 1000
    play_updates: int = 10
    tag: str = "fleet"
    two: float = 0.1
    three: float = 0.0
    skew: bool = False

    @property
    def hot_period_ms(self) -> int:
        """Between two updates of a hot student."""
        return max(HOT_PERIOD_MIN_MS, round(self.period_ms / SKEW_EVERY / SKEW_UPDATES))

    @property
    def unit_ms(self) -> int:
        """Places of one student are this far apart at least; its students share an item."""
        return _unit_ms(self.hot_period_ms if self.skew else self.period_ms)

    def is_hot(self, number: int) -> bool:
        """Whether the student is of the hundredth that makes a fifth of the updates."""
        block, place = divmod(number, SKEW_EVERY)
        return self.skew and place == (7 * block + 3) % SKEW_EVERY

    def period_of(self, number: int) -> int:
        """ms between two updates of this student."""
        if not self.skew:
            return self.period_ms
        if self.is_hot(number):
            return self.hot_period_ms
        units = self.period_ms * (1 - 1 / SKEW_EVERY) / (1 - SKEW_UPDATES) / self.unit_ms
        return max(1, round(units)) * self.unit_ms

    def updates_of(self, number: int) -> int:
        """How many updates this student makes."""
        return self.updates * self.period_ms // self.period_of(number)

    @property
    def updates_in_all(self) -> int:
        """How many updates all students make."""
        if not self.skew:
            return self.students * self.updates
        return sum(self.updates_of(number) for number in range(self.students))

    @property
    def connections(self) -> int:
        """How many devices there are."""
        return sum(self.device_count(number) for number in range(self.students))

    @property
    def items(self) -> int:
        """How many items the students are spread over."""
        return math.ceil(self.students / self.unit_ms)

    @property
    def zone_ms(self) -> int:
        """Length of a zone: a student may play all updates in one. A multiple of `unit_ms`."""
        whole_ms = (self.updates + 2) * self.period_ms
        return math.ceil(whole_ms / self.unit_ms) * self.unit_ms

    @property
    def duration_ms(self) -> int:
        """Length of every item."""
        return (ZONES + 1) * self.zone_ms

    def check(self) -> None:
        """Raise `SetupError` if no such fleet can be."""
        for number in range(min(self.students, SKEW_EVERY)):
            least = real_updates(self.period_of(number)) + 2
            if self.updates_of(number) < least:
                raise SetupError(
                    f"{self.updates_of(number)} updates a student are too few for a visit to count: "
                    f"{least} do; run for longer"
                )
        if self.duration_ms > POSITION_MAX_MS:
            raise SetupError("the items would be longer than a position can say; run for less time")
        if self.unit_ms < min(1000, self.period_ms) / 2 and not self.skew:
            raise SetupError(f"a period of {self.period_ms} ms has no even parts of about 1 s; take another")
        if not 0 <= self.two + self.three <= 1:
            raise SetupError("the shares of students with two and three devices are more than all")

    def item(self, number: int) -> str:
        """The item the student of this number watches."""
        return f"{self.tag}-item-{number // self.unit_ms}"

    @property
    def course(self) -> str:
        """The course of all items."""
        return f"{self.tag}-course"

    def student(self, number: int) -> str:
        """The id of the student of this number."""
        return f"{self.tag}-{number}"

    def device_count(self, number: int) -> int:
        """How many devices the student has: those with more stand evenly among the others."""
        several = self.two + self.three
        place = _hits(number, several)
        if _hits(number + 1, several) == place:
            return 1
        share = self.three / several
        return 3 if _hits(place + 1, share) > _hits(place, share) else 2

    def device(self, number: int, index: int) -> str:
        """The id of a device."""
        return f"{self.tag}-{number}-{KINDS[index]}"


def _hits(count: int, share: float) -> int:
    """How many of the first `count` belong to a share that is spread evenly."""
    return int(count * share + 1e-9)


def _unit_ms(period_ms: int) -> int:
    """The largest even part of a period that is at most 1 s."""
    return next(
        period_ms // parts for parts in range(-(-period_ms // 1000), period_ms + 1) if period_ms % parts == 0
    )


def real_updates(period_ms: int) -> int:
    """Updates of play after which a visit counts for sure (R1)."""
    return math.ceil(REAL_PLAY_MS / period_ms) + 1


@dataclass(frozen=True, slots=True)
class Script:
    """What one student does, in order, by which device; `item` is where all of it happens."""

    number: int
    student: str
    item: str
    devices: tuple[str, ...]
    steps: tuple[Step, ...]
    period_ms: int = 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """How it must stand when every update was folded once: the last place and device, and what was seen."""

    place_ms: int
    device: str
    coverage: list[tuple[int, int]]
    content_ms: int


def script(mix: Mix, number: int) -> Script:
    """The script of one student; the same for the same mix and number."""
    devices = tuple(mix.device(number, index) for index in range(mix.device_count(number)))
    steps = tuple(_Writer(mix, number, len(devices)).write())
    return Script(number, mix.student(number), mix.item(number), devices, steps, mix.period_of(number))


def ending(found: Script) -> Ending:
    """What the rules must have made of a script (R1, R2, R5): its writer sees to it that every run counts."""
    last = found.steps[-1]
    spans = sorted((step.from_ms, step.place_ms) for step in found.steps if step.kind == "played")
    coverage: list[tuple[int, int]] = []
    for start, end in spans:
        if coverage and coverage[-1][1] == start:
            coverage[-1] = (coverage[-1][0], end)
        else:
            coverage.append((start, end))
    content_ms = sum(end - start for start, end in spans)
    return Ending(last.place_ms, found.devices[last.device], coverage, content_ms)


class _Writer:
    """Writes one script: play, then pause or seek or hand over, until the updates are used."""

    def __init__(self, mix: Mix, number: int, devices: int) -> None:
        self._zone_ms = mix.zone_ms
        self._period_ms = mix.period_of(number)
        self._updates = mix.updates_of(number)
        self._real_updates = real_updates(self._period_ms)
        self._mean = max(mix.play_updates, self._real_updates)
        self._random = random.Random(f"{mix.seed}/{number}")
        self._devices = devices
        self._code_ms = number % mix.unit_ms
        self._zones = self._random.sample(range(ZONES), SEEKS_MAX + 1)
        self._place_ms = self._fresh_place()
        self._device = 0
        self._opened = {0}

    def write(self) -> list[Step]:
        """The steps, exactly as many as the mix has updates."""
        steps = [Step(0, "opened"), Step(0, "play", self._place_ms)]
        while len(steps) < self._updates:
            steps += self._play()
            steps += self._turn(self._updates - len(steps))
        return steps[: self._updates]

    def _play(self) -> Iterator[Step]:
        for _ in range(max(self._real_updates, round(self._mean * self._random.uniform(0.5, 1.5)))):
            from_ms = self._place_ms
            self._place_ms += self._period_ms
            yield Step(self._device, "played", self._place_ms, from_ms)

    def _turn(self, left: int) -> Iterator[Step]:
        chance = self._random.random()
        if self._zones and chance < 0.25:
            yield Step(self._device, "sought", self._fresh_place())
            return
        yield Step(self._device, "paused", self._place_ms)
        if self._devices > 1 and chance < 0.75 and left >= self._real_updates + 3:
            yield from self._hand_over()
            return
        if self._zones and chance > 0.85:
            yield Step(self._device, "sought", self._fresh_place())
        yield Step(self._device, "play", self._place_ms)

    def _hand_over(self) -> Iterator[Step]:
        self._device = self._random.choice([n for n in range(self._devices) if n != self._device])
        if self._device not in self._opened:
            self._opened.add(self._device)
            yield Step(self._device, "opened")
        yield Step(self._device, self._random.choice(("play", "chosen")), self._place_ms)

    def _fresh_place(self) -> int:
        self._place_ms = self._zones.pop() * self._zone_ms + self._code_ms
        return self._place_ms
