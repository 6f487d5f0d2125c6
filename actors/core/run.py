"""Runs, and which of them has the head: rules R1 (real), R2 (successor), R3 (concurrent), R4, R10.

A run is what one user action starts. Runs that know each other are ordered by knowledge and no clock is
asked; of runs that do not, the one whose action is later in corrected time has the head. The decision is a
function of the set of runs, so the order of arrival does not matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from actors.core.intervals import Intervals

JUMP_MS = 15_000
"""Jump tolerance (rules.md, constants): places nearer than this are one place."""


@dataclass(slots=True)
class Run:
    """One user action on one device, with the play after it. Times are corrected server ms.

    `first_rev` is the revision at which the run became real, 0 before; `last_rev` that of its latest move;
    `seen_ms` the server time at which it became real. `spans` is what it covered.
    """

    device: str
    seq: int
    session: str
    kind: str
    base_rev: int
    action_ms: int
    epoch: int
    viewing: int
    position_ms: int
    moved_ms: int
    first_rev: int = 0
    last_rev: int = 0
    seen_ms: int = 0
    replayed_ms: int = 0
    playing: bool = False
    rate: float = 1.0
    spans: Intervals = field(default_factory=Intervals)

    @property
    def real(self) -> bool:
        """Whether it may move the head (R1)."""
        return self.first_rev > 0

    @property
    def key(self) -> tuple[str, int]:
        """Identity: the device and the sequence number of the action."""
        return (self.device, self.seq)

    def knows(self, other: "Run") -> bool:
        """Whether this run's device had seen the other, or comes later in the same journal (rules.md)."""
        if self.device == other.device:
            return self.seq > other.seq
        return other.real and self.base_rev >= other.first_rev

    def stale_towards(self, other: "Run") -> bool:
        """Whether the server already had the other, unknown to this run, when this run began (R3)."""
        return other.real and other.seen_ms <= self.action_ms and not self.knows(other)


@dataclass(frozen=True, slots=True)
class Decision:
    """Who has the head: the run, the rule that decided, the latest losing run (R4)."""

    head: Run
    rule: str
    loser: Run | None


def decide(runs: Sequence[Run], covered: Intervals) -> Decision | None:
    """The head among runs of one epoch; None if none is real.

    `covered` is what runs that no longer compete covered in the pass; it counts as played by others (R3).
    """
    real = [run for run in runs if run.real]
    if not real:
        return None
    frontier = [run for run in real if not any(later.knows(run) for later in real if later is not run)]
    frontier.sort(key=lambda run: (run.action_ms, run.device, run.seq))
    head, losers = frontier[0], []
    for challenger in frontier[1:]:
        winner, loser = _contest(head, challenger, runs, covered)
        head = winner
        losers.append(loser)
    losers += [run for run in real if run not in frontier and _played_on(run, real)]
    latest = max(losers, key=lambda run: run.moved_ms, default=None)
    return Decision(head, "R3" if len(frontier) > 1 else "R2", latest)


def candidate(decision: Decision, runs: Iterable[Run], covered: Intervals, duration_ms: int) -> Run | None:
    """The losing run whose place is worth offering (R4), if there is one.

    Its place lies more than 15 s from the head, from what other runs covered in the pass, and before the end.
    """
    loser, head = decision.loser, decision.head
    if loser is None or loser.position_ms >= duration_ms:
        return None
    if abs(loser.position_ms - head.position_ms) <= JUMP_MS or covered.near(loser.position_ms, JUMP_MS):
        return None
    others = (run for run in runs if run is not loser)
    return None if any(run.spans.near(loser.position_ms, JUMP_MS) for run in others) else loser


def settled(run: Run, decision: Decision, runs: Sequence[Run]) -> bool:
    """Whether a run no longer competes: a later real run knew all of it, so it never moves the head again."""
    if run is decision.head or not run.real:
        return False
    return any(
        later is not run and later.real and later.knows(run) and _knew_all(later, run) for later in runs
    )


def _knew_all(later: Run, run: Run) -> bool:
    return later.device == run.device or later.base_rev >= run.last_rev


def _played_on(run: Run, real: Sequence[Run]) -> bool:
    """Play continued after losing the baton counts as losing, until a later run knows that too (R4)."""
    knowing = [later for later in real if later is not run and later.knows(run)]
    return not any(_knew_all(later, run) for later in knowing)


def _contest(earlier: Run, later: Run, runs: Sequence[Run], covered: Intervals) -> tuple[Run, Run]:
    """R3 between two concurrent runs, given in order of action time: (winner, loser)."""
    if _stands_back(later, earlier, runs, covered) and not _stands_back(earlier, later, runs, covered):
        return earlier, later
    return later, earlier


def _stands_back(run: Run, other: Run, runs: Sequence[Run], covered: Intervals) -> bool:
    """Stale when it began, nothing sought, and it played only what others had covered (R3, exception)."""
    if run.kind != "play" or not run.stale_towards(other):
        return False
    by_others = covered.copy()
    for peer in runs:
        if peer.device != run.device and peer.seen_ms <= run.action_ms:
            by_others.unite(peer.spans)
    return by_others.covers(run.spans)
