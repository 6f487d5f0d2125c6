"""Plain play that is folded in place comes to what the general way comes to, to the last field.

Every batch of these histories is folded twice from one state, once with the short way and once without it.
"""

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from actors.core import session as sessions
from actors.core.events import Entry
from actors.core.going_on import go_on
from actors.core.item import Item
from actors.core.session import Folded, Session
from actors.core.state import merge_state, visits_state
from gateway.replay.reading import found, read
from gateway.replay.runner import Replay
from tests.actors.core.devices import LECTURE, Device, World, item
from tests.actors.core.fuzz.histories import History, generate, generate_long, generate_quiz
from tests.actors.core.fuzz.properties import LOSSY, ORDERS
from tests.actors.core.fuzz.simulation import Delivery, Simulation
from tests.gateway.replay.mutations import CORPUS, HUGE

SEEDS = 60
ACTS = "pause seek rate tab tab done undone undo reset edit crash boot checkpoint peek flap clock stall"


@dataclass
class Both:
    """How many events have gone the short way, and of how many in all."""

    counts: Counter[str] = field(default_factory=Counter)


@contextmanager
def both_ways() -> Iterator[Both]:
    """Whatever is folded meanwhile is folded in both ways, which must come to the same."""
    both, apply = Both(), Session.apply

    def short(*event: Any) -> bool:
        gone_on = go_on(*event)
        both.counts["short" if gone_on else "general"] += 1
        return gone_on

    def apply_both(
        self: Session, device: str, entries: Iterable[Entry], catalogue: Mapping[str, Item], now_ms: int
    ) -> Folded:
        entries = list(entries)
        twin: Session = pickle.loads(pickle.dumps(self))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sessions, "go_on", lambda *event: False)
            expected = apply(twin, device, entries, catalogue, now_ms)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sessions, "go_on", short)
            folded = apply(self, device, entries, catalogue, now_ms)
        assert folded == expected
        assert self == twin
        assert at_rest(self) == at_rest(twin)
        return folded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "apply", apply_both)
        yield both


def at_rest(session: Session) -> tuple[object, ...]:
    """What is written of it, in its order: equal dicts may differ in that."""
    items = [(name, merge_state(progress)) for name, progress in session.items.items()]
    return repr(items), repr([(name, visits_state(device)) for name, device in session.devices.items()])


@pytest.mark.parametrize(
    "delivery", [Delivery(), *ORDERS, LOSSY], ids=["plain", "stored", "shuffled", "lossy"]
)
@pytest.mark.parametrize("made_by", [generate, generate_quiz], ids=["play", "quizzes"])
def test_histories_come_to_the_same(made_by: Callable[[int], History], delivery: Delivery) -> None:
    with both_ways() as both:
        for seed in range(SEEDS):
            Simulation(made_by(seed), delivery).run()
    assert made_by is generate_quiz or both.counts["short"] > SEEDS // 2


def test_long_histories_come_to_the_same() -> None:
    """Runs, stretches and passes are let go of meanwhile."""
    with both_ways() as both:
        for seed in range(6):
            Simulation(generate_long(seed), Delivery()).run()
    assert both.counts["short"]


def test_scenarios_of_the_corpus_come_to_the_same() -> None:
    running = Replay()
    with both_ways() as both:
        for path in found([CORPUS]):
            trace = read(path)
            if trace.id != HUGE:
                assert not running.run(trace, "at checkpoints").missed
    running.close()
    assert both.counts["short"]


@pytest.mark.parametrize("hitches", [0.03, 0.1, 0.4])
def test_players_with_hitches_come_to_the_same(hitches: float) -> None:
    """One or two players go on for long: late, jittered, at other rates, in two tabs, over the end, over
    quarters of an hour, twice through; now and then somebody acts, or the content is edited."""
    with both_ways() as both:
        for seed in range(40):
            _Hitches(Random(seed), hitches).play(100)
    assert both.counts["short"] > 200


class _Hitches:
    """A viewer whose players hardly ever do what a player should."""

    def __init__(self, random: Random, hitches: float) -> None:
        self.random, self.hitches = random, hitches
        self.world = World(item(duration_s=random.choice((300, 900, 4000))))
        self.at_s = random.choice((0.0, 840.0))
        self.names = ("A", "B")[: random.choice((1, 1, 2))]
        self.devices = [self.world.device(name, skew_s=random.choice((0, 0, 50, 90))) for name in self.names]
        for device in self.devices:
            device.connect(self.at_s)
        self.tabs = [
            device.open(self.at_s) for device in self.devices for _ in range(random.choice((1, 1, 2)))
        ]
        self.tab, self.place_s, self.rate = self.tabs[0], 0.0, 1.0
        self.tab.act("play", self.at_s, position_ms=0)

    def play(self, beats: int) -> None:
        for _ in range(beats):
            if self.random.random() < self.hitches / 2:
                self._act()
            else:
                self._beat()

    def _beat(self) -> None:
        random, device = self.random, self.tab.device
        played_s = self._hitch(10, 0, 1.5, 30)
        spent_s = played_s + self._hitch(0, 0.004, -0.003, 1.9, 2.0, 2.001, -2.5, 20)
        to_s = self.place_s + played_s * self.rate
        if to_s > self._duration_s and random.random() < 0.5:
            to_s = self._duration_s
        self.at_s += max(spent_s, 0)
        late_s = self._hitch(0, 0.02, 0.3, 4.9, 5.0, 5.1, 8)
        device.online = False
        self.tab.span(self.at_s, self.place_s, max(to_s, self.place_s), self.rate)
        device.online = True
        device.deliver(device.journal[device.sent :], self.at_s + late_s)
        self.place_s = to_s if to_s < self._duration_s else random.choice((0.0, self._duration_s))
        if random.random() < 0.03:
            self.place_s += random.choice((0.001, 5, -3)) if self.place_s > 3 else 0

    def _hitch(self, plain: float, *others: float) -> float:
        return self.random.choice(others) if self.random.random() < self.hitches else plain

    @property
    def _duration_s(self) -> float:
        return self.world.catalogue[LECTURE].duration_ms / 1000

    def _act(self) -> None:
        random, tab = self.random, self.tab
        what = random.choice(ACTS.split())
        if what == "pause":
            tab.pause(self.at_s, self.place_s)
            tab.act("play", self.at_s, position_ms=round(self.place_s * 1000), rate=self.rate)
        elif what == "seek":
            self.place_s = float(random.randrange(0, round(self._duration_s)))
            tab.seek(self.at_s, self.place_s)
        elif what == "rate":
            self.rate = random.choice((1.0, 1.25, 2.0, 0.7))
        elif what == "tab":
            self.tab = random.choice(self.tabs)
            if random.random() < 0.7:
                self.tab.act("play", self.at_s, position_ms=round(self.place_s * 1000), rate=self.rate)
        elif what == "peek":
            random.choice([other for other in self.tabs if other.device is tab.device]).pause(self.at_s, 0)
        elif what == "clock":
            tab.device.skew_s += 90
        elif what == "stall":
            self.world.session.stall(tab.device.name, LECTURE)
        elif what == "flap":
            self._flap(tab.device)
        elif what == "boot":
            tab.device.reboot(self.at_s)
            tab.device.boot_s = random.choice((self.at_s, -self.at_s))
            if random.random() < 0.5:
                tab.device.connect(self.at_s)
        elif what in ("crash", "checkpoint"):
            self.world.checkpoint()
            if what == "crash":
                self.world.crash()
                for device in self.devices:
                    device.connect(self.at_s)
        elif random.random() < 0.4:
            self._decree(what)

    def _flap(self, device: Device) -> None:
        """The link is gone and back; how long its word took tells what is believed of its clock."""
        device.disconnect(self.at_s)
        late_s = self.random.choice((0, 1.5, 1.9))
        mono_ms, wall_ms = round((self.at_s - device.boot_s) * 1000), device._ms(self.at_s + device.skew_s)
        clock = self.world.session.device(device.name).clock
        clock.connect(device.boot, mono_ms, wall_ms, device._ms(self.at_s + late_s))
        device.online = True

    def _decree(self, what: str) -> None:
        tab = self.tab
        if what == "edit" and len(self.world.catalogue[LECTURE].durations_ms) == 1:
            self.world.edit("v2", self._duration_s - 20, {"cut": (40, 60)})
            for other in self.random.sample(self.tabs, len(self.tabs) // 2 + 1):
                other.version = "v2"
            self.place_s = min(self.place_s, self._duration_s)
        elif what in ("done", "undone"):
            tab.mark(self.at_s, what == "done")
        elif what == "undo":
            tab.undo(self.at_s)
        elif what == "reset":
            tab.reset(self.at_s)
            self.place_s = 0.0


def test_what_a_beat_may_decide_goes_the_general_way() -> None:
    """The first one makes the run real, the ninth completes the pass; the last only goes on after it."""
    world = World(item(duration_s=100))
    device = world.device("A")
    visit = device.open(0)
    with both_ways() as both:
        visit.play(0, 0, 100)
    assert both.counts == {"general": 2, "short": 8}


def test_a_device_without_the_head_goes_the_general_way() -> None:
    world = World()
    phone, tv = world.device("A"), world.device("B")
    phone.open(0).play(0, 0, 20)
    visit = tv.open(20)
    visit.play(20, 300, 320)
    with both_ways() as both:
        phone.connect(40)
        phone.deliver([], 40)
        visit.go_on(40, 320, 340)
    assert both.counts == {"short": 2}
    assert world.holder() == "B"
