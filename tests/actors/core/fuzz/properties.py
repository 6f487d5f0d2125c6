"""What must hold of every history, by rule id. A history that breaks one raises `Broken`."""

from typing import Any

from actors.core.events import Event
from tests.actors.core.fuzz import oracles
from tests.actors.core.fuzz.histories import DURATION_S, History
from tests.actors.core.fuzz.simulation import Delivery, Simulation

ORDERS = (
    Delivery(order=1, stored=True),
    Delivery(order=2, shuffled=True, copies=True),
)
"""Ways of delivery which must come to the same as one device after the other (R3, R5, R6, R8)."""

LOSSY = Delivery(lossy=True)
"""A crash loses what was not durable, and it is sent again."""

SURVIVES = ("content", "wall", "quarters")
"""What a crash and a resend leave as it is even where the revisions that told of it are lost (R8)."""


class Broken(AssertionError):
    """A rule does not hold: says which, and how."""


def check(history: History) -> None:
    """Every property of one history."""
    plain = Simulation(history, Delivery(), Watcher()).run()
    check_oracles(plain)
    for delivery in ORDERS:
        same(plain, Simulation(history, delivery, Watcher()).run(), "R3, R5, R6, R8: the order of arrival")
    if any(step.what == "crash" for step in history.steps):
        same(plain, Simulation(history, LOSSY, Watcher()).run(), "R8: a crash and a resend", SURVIVES)


def same(plain: Simulation, other: Simulation, what: str, only: tuple[str, ...] = ()) -> None:
    """Both tell the same after every meeting."""
    for n, (expected, told) in enumerate(zip(plain.pictures, other.pictures, strict=True), 1):
        for item in sorted(set(expected) | set(told)):
            left, right = expected.get(item, {}), told.get(item, {})
            for key in only or left | right:
                _equal(f"{what}, at meeting {n}: {key} of", item, left.get(key), right.get(key))


def check_oracles(simulation: Simulation) -> None:
    """R5: time and coverage, against what the journals say."""
    whats = {step.what for step in simulation.history.steps}
    for item, told in simulation.pictures[-1].items() if simulation.pictures else ():
        _equal("R5: content of", item, oracles.content_s(simulation, item), told["content"])
        if not whats & {"reset", "undone"}:
            covered = oracles.ticks_of(told["coverage"])
            _equal("R5: coverage of", item, oracles.covered(simulation, item), covered)
        if not whats & {"clock", "reboot"}:
            wall = oracles.ticks_of(told["wall"])
            _equal("R5: wall time of", item, oracles.wall(simulation, item), wall)
            quarters = {quarter: ms / 1000 for quarter, ms in told["quarters"].items()}
            _equal("R5: calendar of", item, oracles.quarters(simulation, item), quarters)


def _equal(what: str, item: str, expected: Any, told: Any) -> None:
    if expected != told:
        raise Broken(f"{what} {item} is {told} and should be {expected}")


class Watcher:
    """R1 and the shape of the state, after every batch that reached the session."""

    def __init__(self) -> None:
        self.revs: dict[str, int] = {}

    def __call__(self, simulation: Simulation, device: str, entries: list[Event]) -> None:
        for name in {entry.item for entry in entries}:
            progress = simulation.session.items.get(name)
            if progress is None:
                continue
            former = self.revs.get(name, 0)
            if simulation.session.rev_floor <= progress.rev < former:
                raise Broken(f"R8: rev of {name} falls from {former} to {progress.rev}")
            self.revs[name] = max(progress.rev, former)
            head = progress.head
            if head is not None and not head.real:
                raise Broken(f"R1: the head of {name} is {head.key}, which is not real")
            if not 0 <= progress.position_ms <= DURATION_S[name] * 1000:
                raise Broken(f"R9: the place of {name} is {progress.position_ms} ms")
