"""What must hold of every history, by rule id. A history that breaks one raises `Broken`."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from actors.core.events import Event
from actors.core.stretch import BREAK_MS
from tests.actors.core.fuzz import oracles
from tests.actors.core.fuzz.histories import DURATION_S, History
from tests.actors.core.fuzz.simulation import Delivery, Simulation, picture

ORDERS = (
    Delivery(order=1, stored=True),
    Delivery(order=2, shuffled=True, copies=True),
)
"""Ways of delivery which must come to the same as one device after the other (R3, R5, R6, R8).

Each history takes one of them: ten thousand histories in a minute find more than five thousand.
"""

LOSSY = Delivery(lossy=True)
"""A crash loses what was not durable, and it is sent again."""

SURVIVES = ("content", "wall", "quarters")
"""What a crash and a resend leave as it is even where the revisions that told of it are lost (R8)."""


class Broken(AssertionError):
    """A rule does not hold: says which, and how."""


def check(history: History, orders: Sequence[Delivery] = ()) -> None:
    """Every property of one history, delivered in these ways besides; in one of `ORDERS` if none is given."""
    plain = Simulation(history, Delivery(), Watcher()).run()
    check_oracles(plain)
    check_submissions(plain)
    for order in orders or (ORDERS[history.seed % len(ORDERS)],):
        other = Simulation(history, order, Watcher()).run()
        same(plain, other, "R3, R5, R6, R8: the order of arrival")
    if any(step.what == "crash" for step in history.steps):
        crashed = Simulation(history, LOSSY, Watcher()).run()
        if not history.has("undo"):
            same(plain, crashed, "R8: a crash and a resend", upto=crashed.vague_from)
        if not history.has("clock", "reboot", "resume"):
            same(plain, crashed, "R8: a crash and a resend", SURVIVES)


def same(
    plain: Simulation,
    other: Simulation,
    what: str,
    only: tuple[str, ...] = (),
    upto: int | None = None,
) -> None:
    """Both tell the same after every meeting, or the meetings up to one."""
    pairs = zip(plain.pictures[:upto], other.pictures[:upto], strict=True)
    for n, (expected, told) in enumerate(pairs, 1):
        for item in sorted(set(expected) | set(told)):
            left, right = expected.get(item, {}), told.get(item, {})
            for key in only or left | right:
                was, now = left.get(key), right.get(key)
                if key != "completions" or not _near(was, now):
                    _equal(f"{what}, at meeting {n}: {key} of", item, was, now)


def _near(dates: Any, others: Any) -> bool:
    """Stretches that are stored as one or as two are dated the same but for a hiccup of the player."""
    if dates is None or others is None or len(dates) != len(others):
        return False
    return all(abs(one - other) * 1000 <= BREAK_MS for one, other in zip(dates, others, strict=True))


def check_oracles(simulation: Simulation) -> None:
    """R5: time and coverage, against what the journals say."""
    history = simulation.history
    for item, told in picture(simulation.session).items():
        _equal("R5: content of", item, oracles.content_s(simulation, item), told["content"])
        if not history.has("reset", "undone"):
            covered = oracles.ticks_of(told["coverage"])
            _equal("R5: coverage of", item, oracles.covered(simulation, item), covered)
        if not history.has("clock", "reboot"):
            wall = oracles.ticks_of(told["wall"])
            _equal("R5: wall time of", item, oracles.wall(simulation, item), wall)
            quarters = {quarter: ms / 1000 for quarter, ms in told["quarters"].items()}
            _equal("R5: calendar of", item, oracles.quarters(simulation, item), quarters)


def check_submissions(simulation: Simulation) -> None:
    """What was handed in when all met is so ever after: it is durable then (docs/sync.md, quizzes)."""
    for former, later in pairwise(simulation.pictures):
        for item, told in former.items():
            if told["quiz"] and told["quiz"].submission:
                before, now = told["quiz"], later[item]["quiz"]
                _equal("Quizzes: submission of", item, before.submission, now.submission)
                _equal("Quizzes: what was handed in of", item, before.standing, now.standing)


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
