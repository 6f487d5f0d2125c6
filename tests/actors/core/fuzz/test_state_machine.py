"""R1 to R10 while hypothesis chooses what happens next: the properties of histories, found in another way.

The machine writes a history step by step and carries it out at once, through crashes of the owner, loss,
doubled and shuffled delivery; in the end the history as a whole must hold, delivered in several ways.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.actors.core.fuzz.histories import DEVICES, DURATION_S, LONG_WAITS_S, RATES, WAITS_S, History, Step
from tests.actors.core.fuzz.properties import LOSSY, Watcher, check
from tests.actors.core.fuzz.simulation import Delivery, Simulation

ITEMS = ("i1", "i2")
waits_s = st.sampled_from((*WAITS_S, *LONG_WAITS_S))
devices = st.sampled_from(DEVICES)


class Student(RuleBasedStateMachine):
    """One student with four devices and two items."""

    @initialize(skews_s=st.lists(st.sampled_from((0, 3600, -86_400)), min_size=4, max_size=4))
    def begin(self, skews_s: list[int]) -> None:
        self.history = History(0, dict(zip(DEVICES, skews_s, strict=True)), ())
        self.running = Simulation(self.history, LOSSY, Watcher())

    def step(self, step: Step) -> None:
        self.history = self.history.keeping([*self.history.steps, step])
        self.running.take(step)

    def item_of(self, device: str) -> str:
        player = self.running.devices[device].player
        return player.item if player else ""

    @rule(device=devices, item=st.sampled_from(ITEMS), wait_s=waits_s)
    def open(self, device: str, item: str, wait_s: int) -> None:
        self.step(Step("open", device, item, extra="resume", wait_s=wait_s))

    @rule(device=devices, tenths=st.integers(0, 10), rate=st.sampled_from(RATES), wait_s=waits_s)
    def play(self, device: str, tenths: int, rate: float, wait_s: int) -> None:
        if item := self.item_of(device):
            self.step(Step("play", device, item, tenths * DURATION_S[item] // 10, "user", wait_s, rate))

    @rule(device=devices, wait_s=waits_s, what=st.sampled_from(("beat", "beat", "pause", "close")))
    def go_on(self, device: str, wait_s: int, what: str) -> None:
        if item := self.item_of(device):
            self.step(Step(what, device, item, wait_s=wait_s))

    @rule(device=devices, tenths=st.integers(0, 10), wait_s=waits_s, what=st.sampled_from(("seek", "choose")))
    def move(self, device: str, tenths: int, wait_s: int, what: str) -> None:
        if item := self.item_of(device):
            self.step(Step(what, device, item, tenths * DURATION_S[item] // 10, wait_s=wait_s))

    @rule(device=devices, wait_s=waits_s, what=st.sampled_from(("done", "undone", "undo", "reset")))
    def decree(self, device: str, wait_s: int, what: str) -> None:
        if item := self.item_of(device):
            self.step(Step(what, device, item, wait_s=wait_s))

    @rule(device=devices, what=st.sampled_from(("drop", "drop", "mute", "reboot")))
    def part(self, device: str, what: str) -> None:
        self.step(Step(what, device))

    @rule(device=devices, by_s=st.sampled_from((-7200, 600, 86_400)))
    def step_clock(self, device: str, by_s: int) -> None:
        self.step(Step("clock", device, place_s=by_s))

    @rule(names=st.sets(devices, min_size=1), wait_s=waits_s)
    def meet(self, names: set[str], wait_s: int) -> None:
        self.step(Step("meet", extra=" ".join(sorted(names)), wait_s=wait_s))

    @precondition(lambda self: self.running.pictures)
    @rule(wait_s=waits_s)
    def crash(self, wait_s: int) -> None:
        self.step(Step("crash", wait_s=wait_s))

    @invariant()
    def copies_change_nothing(self) -> None:
        """R8: everything that has arrived arrives once more."""
        if hasattr(self, "running"):
            self.running.repeat()

    def teardown(self) -> None:
        if hasattr(self, "running"):
            self.step(Step("meet", extra=" ".join(DEVICES), wait_s=10))
            check(self.history)
            Simulation(self.history, Delivery(order=3, shuffled=True, stored=True), Watcher()).run()


TestStudent = Student.TestCase
TestStudent.settings = settings(max_examples=700, stateful_step_count=40, deadline=None, print_blob=True)
