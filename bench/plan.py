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
SECOND_DEVICE_EVERY = 10
VERSION = "v1"


class Step(NamedTuple):
    """One update: which device (0 or 1) says what. `from_ms` is for `played`, `opened` has no place."""

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

    `tag` is part of every id, so that runs on one data folder do not meet.
    """

    seed: int
    students: int
    updates: int
    period_ms: int = 1000
    play_updates: int = 10
    tag: str = "fleet"

    @property
    def unit_ms(self) -> int:
        """Places of one student are this far apart at least; its students share an item."""
        return min(1000, self.period_ms)

    @property
    def items(self) -> int:
        """How many items the students are spread over."""
        return math.ceil(self.students / self.unit_ms)

    @property
    def zone_ms(self) -> int:
        """Length of a zone: a student may play all updates in one. A multiple of `unit_ms`."""
        whole_ms = (self.updates + 1) * self.period_ms
        return math.ceil(whole_ms / self.unit_ms) * self.unit_ms

    @property
    def duration_ms(self) -> int:
        """Length of every item."""
        return (ZONES + 1) * self.zone_ms

    @property
    def real_updates(self) -> int:
        """Updates of play after which a visit counts for sure (R1)."""
        return math.ceil(REAL_PLAY_MS / self.period_ms) + 1

    def check(self) -> None:
        """Raise `SetupError` if no such fleet can be."""
        least = self.real_updates + 2
        if self.updates < least:
            raise SetupError(f"{self.updates} updates a student are too few for a visit to count: {least} do")
        if self.duration_ms > POSITION_MAX_MS:
            raise SetupError("the items would be longer than a position can say; run for less time")
        if self.period_ms % self.unit_ms:
            raise SetupError("a rate below 1 has to be 1 update in a whole number of seconds")

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

    def has_second(self, number: int) -> bool:
        """Whether the student has two devices."""
        return number % SECOND_DEVICE_EVERY == SECOND_DEVICE_EVERY - 1

    def device(self, number: int, index: int) -> str:
        """The id of a device."""
        return f"{self.tag}-{number}-{'phone' if index == 0 else 'tv'}"


@dataclass(frozen=True, slots=True)
class Script:
    """What one student does, in order, by which device; `item` is where all of it happens."""

    number: int
    student: str
    item: str
    devices: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """How it must stand when every update was folded once: the last place and device, and what was seen."""

    place_ms: int
    device: str
    coverage: list[tuple[int, int]]
    content_ms: int


def script(mix: Mix, number: int) -> Script:
    """The script of one student; the same for the same mix and number."""
    devices = tuple(mix.device(number, index) for index in range(2 if mix.has_second(number) else 1))
    steps = tuple(_Writer(mix, number, len(devices)).write())
    return Script(number, mix.student(number), mix.item(number), devices, steps)


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
        self._mix = mix
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
        while len(steps) < self._mix.updates:
            steps += self._play()
            steps += self._turn(self._mix.updates - len(steps))
        return steps[: self._mix.updates]

    def _play(self) -> Iterator[Step]:
        mean = max(self._mix.play_updates, self._mix.real_updates)
        for _ in range(max(self._mix.real_updates, round(mean * self._random.uniform(0.5, 1.5)))):
            from_ms = self._place_ms
            self._place_ms += self._mix.period_ms
            yield Step(self._device, "played", self._place_ms, from_ms)

    def _turn(self, left: int) -> Iterator[Step]:
        chance = self._random.random()
        if self._zones and chance < 0.25:
            yield Step(self._device, "sought", self._fresh_place())
            return
        yield Step(self._device, "paused", self._place_ms)
        if self._devices == 2 and chance < 0.75 and left >= self._mix.real_updates + 3:
            yield from self._hand_over()
            return
        if self._zones and chance > 0.85:
            yield Step(self._device, "sought", self._fresh_place())
        yield Step(self._device, "play", self._place_ms)

    def _hand_over(self) -> Iterator[Step]:
        self._device = 1 - self._device
        if self._device not in self._opened:
            self._opened.add(self._device)
            yield Step(self._device, "opened")
        yield Step(self._device, self._random.choice(("play", "chosen")), self._place_ms)

    def _fresh_place(self) -> int:
        self._place_ms = self._zones.pop() * self._mix.zone_ms + self._code_ms
        return self._place_ms
