"""Histories: what the users of a student's devices do, made from a seed; every part can be left out.

A history is a list of steps in true time. A step says what a user or the network does and asks nothing of
the steps before it: one that makes no sense (a beat without a player) is passed over, so that a history
with steps taken out is a history still, which is what shrinking needs.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

DEVICES = ("A", "B", "C", "D")
ITEMS = ("i1", "i2", "i3")
QUESTIONS = ("p", "q")
DURATION_S = {"i1": 100, "i2": 200, "i3": 60}

ACTIONS = ("play", "resume", "seek", "choose", "done", "undone", "undo", "reset")
"""Steps that begin a run."""

WAITS_S = (0, 1, 3, 5, 10, 10, 10, 20, 30)
LONG_WAITS_S = (300, 900, 3600, 90_000)
RATES = (1.0, 1.0, 1.0, 2.0, 0.5)


class Step(NamedTuple):
    """After `wait_s`, `device` does `what` with `item`; `place_s` and `extra` by what.

    An `answer` has "question=value" in `extra`. The network's steps: `drop` and `mute` (it hears, and what
    it says is lost) of one device, `meet` of the devices in `extra`, `crash` of the owner and `checkpoint`.
    """

    what: str
    device: str = ""
    item: str = ""
    place_s: int = 0
    extra: str = ""
    wait_s: int = 0
    rate: float = 1.0


@dataclass(frozen=True)
class History:
    """What happened, from the seed that made it; `skews_s` is how far each device's wall clock is off."""

    seed: int
    skews_s: dict[str, int]
    steps: tuple[Step, ...]

    def keeping(self, steps: list[Step]) -> "History":
        """The same with these steps only."""
        return replace(self, steps=tuple(steps))

    def has(self, *whats: str) -> bool:
        """Whether any of these happens in it."""
        return any(step.what in whats for step in self.steps)

    def __str__(self) -> str:
        lines = [f"history of seed {self.seed}, clocks off by {self.skews_s}"]
        return "\n".join([*lines, *(f"    {step!r}," for step in self.steps)])


def generate(seed: int) -> History:
    """The history of a seed: some steps on line, then devices part and meet, and all meet at the end."""
    return _Author(seed).history()


def generate_quiz(seed: int) -> History:
    """A history of devices that answer one quiz and hand it in, on line and off."""
    return _Learner(seed).history()


def generate_long(seed: int, runs: int = 60, devices: int = 3) -> History:
    """A history of so many devices in one item, with at least so many user actions."""
    return _Chronicler(seed, runs, devices).history()


class _Author:
    """Writes one history, knowing roughly what each device is doing."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random = Random(seed)
        self.devices = DEVICES[: random.choice((2, 2, 3, 3, 4))]
        self.items = ITEMS[: random.choice((1, 1, 1, 2, 3))]
        self.playing: dict[str, str] = {}
        self.items_open: dict[str, str] = {}
        self.away: set[str] = set()
        self.decrees = random.random() < 0.5
        self.steps: list[Step] = []

    def history(self) -> History:
        random = self.random
        skews = {name: random.choice((0, 0, 0, 3600, -86_400, 20)) for name in self.devices}
        for _ in range(random.randint(0, 8)):
            self._user(random.choice(self.devices))
            if random.random() < 0.03:
                self._add("crash", wait_s=random.choice(WAITS_S))
        for _ in range(random.randint(1, 3)):
            for name in self.devices:
                if random.random() < 0.7:
                    self._part(name)
            for _ in range(random.randint(2, 12)):
                self._anything()
            self._meet(sorted(self.away) if random.random() < 0.5 else self._some_away())
        for _ in range(random.randint(0, 3)):
            self._user(random.choice(self.devices))
        self._meet(list(self.devices))
        return History(self.seed, skews, tuple(self.steps))

    def _some_away(self) -> list[str]:
        return [name for name in sorted(self.away) if self.random.random() < 0.6]

    def _anything(self) -> None:
        random = self.random
        chance = random.random()
        if chance < 0.9:
            self._user(random.choice(self.devices))
        elif chance < 0.93:
            self._add("checkpoint")
        elif chance < 0.95:
            self._add("crash", wait_s=random.choice(WAITS_S))
            self.away = set()
        elif chance < 0.97:
            name = random.choice(self.devices)
            self._add("reboot", name, wait_s=random.choice(WAITS_S))
            self.playing.pop(name, None)
            self.items_open.pop(name, None)
            self.away.add(name)
        elif chance < 0.98:
            self._add("clock", random.choice(self.devices), place_s=random.choice((-7200, 600, 86_400)))
        else:
            self._meet(self._some_away())

    def _part(self, name: str) -> None:
        self._add(self.random.choice(("drop", "drop", "drop", "mute")), name)
        self.away.add(name)

    def _meet(self, names: list[str]) -> None:
        if names:
            self._add("meet", extra=" ".join(names), wait_s=self.random.choice(WAITS_S))
            self.away -= set(names)

    def _user(self, name: str) -> None:
        item = self.items_open.get(name)
        if item is None:
            self._open(name)
        elif name in self.playing:
            self._while_playing(name, item)
        else:
            self._while_stopped(name, item)

    def _open(self, name: str) -> None:
        random = self.random
        item = random.choice(self.items)
        intent = random.choice(("resume",) * 6 + ("bookmark", "auto", "advance"))
        self._add("open", name, item, extra=intent, wait_s=self._wait_s(long=True))
        self.items_open[name] = item
        if intent in ("auto", "advance") or random.random() < 0.7:
            self._press(name, item, "auto" if intent in ("auto", "advance") else "user")

    def _press(self, name: str, item: str, by: str = "user") -> None:
        random = self.random
        what = "resume" if random.random() < 0.4 else "play"
        rate = random.choice(RATES)
        self._add(what, name, item, self._place(item), by, self._wait_s(), rate)
        self.playing[name] = item
        for _ in range(random.choice((0, 1, 1, 2))):
            self._beat(name, item)

    def _beat(self, name: str, item: str) -> None:
        self._add("beat", name, item, wait_s=self.random.choice(WAITS_S[2:]))

    def _while_playing(self, name: str, item: str) -> None:
        chance = self.random.random()
        if chance < 0.55:
            self._beat(name, item)
        elif chance < 0.70:
            self._add("seek", name, item, self._place(item), wait_s=self._wait_s())
        elif chance < 0.80:
            self._stop("pause", name, item)
        elif chance < 0.82:
            self._add("fast", name, item, self._place(item), wait_s=1)
        elif chance < 0.92 and self.decrees:
            self._decree(name, item)
        else:
            self._close(name, item)

    def _while_stopped(self, name: str, item: str) -> None:
        chance = self.random.random()
        if chance < 0.45:
            self._press(name, item)
        elif chance < 0.60:
            self._add("seek", name, item, self._place(item), wait_s=self._wait_s())
        elif chance < 0.64:
            self._add("choose", name, item, self._place(item), wait_s=self._wait_s())
        elif chance < 0.80 and self.decrees:
            self._decree(name, item)
        else:
            self._close(name, item)

    def _decree(self, name: str, item: str) -> None:
        what = self.random.choice(("done", "done", "undone", "undo", "undo", "reset"))
        self._add(what, name, item, wait_s=self._wait_s())

    def _stop(self, what: str, name: str, item: str) -> None:
        self._add(what, name, item, wait_s=self._wait_s())
        self.playing.pop(name, None)

    def _close(self, name: str, item: str) -> None:
        self._stop("close", name, item)
        self.items_open.pop(name, None)

    def _wait_s(self, long: bool = False) -> int:
        if long and self.random.random() < 0.2:
            return self.random.choice(LONG_WAITS_S)
        return self.random.choice(WAITS_S)

    def _place(self, item: str) -> int:
        return self.random.randrange(0, DURATION_S[item] + 1, 5)

    def _add(
        self,
        what: str,
        device: str = "",
        item: str = "",
        place_s: int = 0,
        extra: str = "",
        wait_s: int = 0,
        rate: float = 1.0,
    ) -> None:
        self.steps.append(Step(what, device, item, place_s, extra, wait_s, rate))


class _Learner(_Author):
    """Writes a history of one quiz: the same partings and meetings, and nothing is played."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.devices = DEVICES[: self.random.choice((2, 2, 3))]
        self.items = ITEMS[:1]

    def _user(self, name: str) -> None:
        (item,) = self.items
        if name not in self.items_open:
            self._add("open", name, item, extra="resume", wait_s=self._wait_s(long=True))
            self.items_open[name] = item
        if self.random.random() < 0.15:
            self._add("submit", name, item, wait_s=self._wait_s())
        else:
            answer = f"{self.random.choice(QUESTIONS)}={name}{len(self.steps)}"
            self._add("answer", name, item, extra=answer, wait_s=self._wait_s())


class _Chronicler(_Author):
    """Writes a history that is long enough for the core to let go of what is old."""

    def __init__(self, seed: int, runs: int, devices: int) -> None:
        super().__init__(seed)
        self.devices, self.items, self.runs = DEVICES[:devices], ITEMS[:1], runs

    def history(self) -> History:
        random = self.random
        skews = {name: random.choice((0, 0, 3600)) for name in self.devices}
        self.decrees = random.random() < 0.7
        while sum(step.what in ACTIONS for step in self.steps) < self.runs:
            for name in self.devices:
                if random.random() < 0.3:
                    self._part(name)
            for _ in range(random.randint(2, 20)):
                self._user(random.choice(self.devices))
            self._meet(sorted(self.away) if random.random() < 0.7 else self._some_away())
        self._meet(list(self.devices))
        return History(self.seed, skews, tuple(self.steps))

    def _while_playing(self, name: str, item: str) -> None:
        if self.random.random() < 0.02:
            for _ in range(40):  # a bad connection: one run in many pieces
                self._add("stall", name, item, wait_s=3)
                self._add("beat", name, item, wait_s=1)
        elif self.decrees and self.random.random() < 0.05:
            self._decree(name, item)
        else:
            super()._while_playing(name, item)
