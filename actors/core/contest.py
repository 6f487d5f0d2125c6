"""Who has the head among the runs of an item: R2 (successor), R3 (concurrent), R4 (the loser), R10.

Runs that know each other are ordered by knowledge and no clock is asked; of runs that do not, the one
whose action is later in corrected time has the head. The decision is a function of the set of runs, so the
order of arrival does not matter.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from actors.core.epochs import Epoch, Epochs
from actors.core.intervals import Intervals
from actors.core.passes import Pass
from actors.core.run import EXPLICIT, JUMP_MS, Run


class Duel(NamedTuple):
    """Two runs that did not know each other, and which of them won (R3)."""

    winner: Run
    loser: Run

    @property
    def stood_back(self) -> bool:
        """Whether the one whose action was later stood back."""
        return _in_time(self.loser) > _in_time(self.winner)


@dataclass(frozen=True, slots=True)
class Decision:
    """Who has the head: the run, the rule that decided, the latest losing run (R4).

    `duels` are the contests of concurrent runs in the order in which they were held; `played_on` are runs
    that others succeeded and that went on after it.
    """

    head: Run
    rule: str
    loser: Run | None
    duels: tuple[Duel, ...] = ()
    played_on: tuple[Run, ...] = ()


def decide(runs: Collection[Run], epochs: Epochs) -> Decision | None:
    """The head among the runs of an item; None if none of them may have it."""
    real = [run for run in runs if run.real and epochs.competes(run)]
    latest_first = real[::-1]  # who knows a run has most often come after it
    frontier = [
        run for run in real if not any(other.knows(run) for other in latest_first if other is not run)
    ]
    if not frontier:
        return None
    frontier.sort(key=_in_time)
    head, duels = frontier[0], []
    for challenger in frontier[1:]:
        duels.append(_contest(head, challenger, runs, epochs))
        head = duels[-1].winner
    ends = {run.key for run in frontier}  # runs compare field by field, which is slow
    played_on = [run for run in real if run.key not in ends and _played_on(run, latest_first)]
    losers = [*(duel.loser for duel in duels), *played_on]
    latest = max(losers, key=lambda run: (run.moved_ms, run.device, run.seq), default=None)
    return Decision(head, "R3" if duels else "R2", latest, tuple(duels), tuple(played_on))


def worth_offering(loser: Run, head: Run, runs: Collection[Run], epochs: Epochs, duration_ms: int) -> bool:
    """Whether the losing run's place is worth offering (R4).

    It lies more than 15 s from the head and from what other runs covered in the pass, and before the end.
    """
    place_ms = loser.position_ms
    if place_ms >= duration_ms or abs(place_ms - head.position_ms) <= JUMP_MS:
        return False
    epoch = epochs.of(loser, loser.moved_ms)
    viewing = epochs.pass_of(loser, epoch)
    if any(spans.near(place_ms, JUMP_MS) for spans in viewing.let_go.values()):
        return False
    for run in runs:
        if run is loser or epochs.pass_of(run, epoch) is not viewing:
            continue
        if Intervals(stretch[:2] for stretch in epochs.played_in(run, epoch)).near(place_ms, JUMP_MS):
            return False
    return True


def _played_on(run: Run, real: Collection[Run]) -> bool:
    """Play continued after losing the baton counts as losing, until a later run knows that too (R4)."""
    others = [other for other in real if other is not run]
    if any(other.knows_all(run) and other.knows(run) for other in others):
        return False
    knowing = [other for other in others if other.knows(run)]
    return run.moved_ms > min(later.real_ms for later in knowing)


def _in_time(run: Run) -> tuple[int, str, int]:
    """The order of user actions in corrected time; ties are broken the same way everywhere."""
    return run.action_ms, run.device, run.seq


def _contest(earlier: Run, later: Run, runs: Collection[Run], epochs: Epochs) -> Duel:
    """R3 between two concurrent runs, given in order of action time."""
    if _stands_back(later, earlier, runs, epochs) and not _stands_back(earlier, later, runs, epochs):
        return Duel(earlier, later)
    return Duel(later, earlier)


def _stands_back(run: Run, other: Run, runs: Collection[Run], epochs: Epochs) -> bool:
    """Stale when it began, nothing sought since the two parted, and only what others had covered played."""
    side = [mine for mine in runs if mine.real and _on_side(mine, run, other)]
    if any(mine.kind in EXPLICIT for mine in side):
        return False
    first = min(side, key=lambda mine: mine.seq)
    strangers = [theirs for theirs in runs if theirs.device != run.device]
    if not any(theirs.real and _had_unknown(first, theirs) for theirs in strangers):
        return False
    epoch = epochs.of(run, run.moved_ms)
    viewing = epochs.pass_of(run, epoch)
    covered = _covered_by(strangers, epoch, viewing, first.action_ms, epochs)
    for device, spans in viewing.let_go.items():
        if device != run.device:
            covered.unite(spans)
    here = (mine for mine in side if epochs.pass_of(mine, epoch) is viewing)
    return covered.covers(Intervals(part[:2] for mine in here for part in epochs.played_in(mine, epoch)))


def _had_unknown(first: Run, theirs: Run) -> bool:
    """Whether the server had their run when the side began, and the side did not know it."""
    return theirs.seen_ms <= first.action_ms and not first.knows(theirs)


def _covered_by(
    strangers: Collection[Run], epoch: Epoch, viewing: Pass, by_ms: int, epochs: Epochs
) -> Intervals:
    """What the server had by that moment of what these runs covered in the pass."""
    covered = Intervals()
    for theirs in strangers:
        if epochs.pass_of(theirs, epoch) is viewing:
            for stretch in epochs.played_in(theirs, epoch):
                covered.add(*stretch.heard_by(by_ms))
    return covered


def _on_side(mine: Run, run: Run, other: Run) -> bool:
    """Whether a run belongs to the same side as `run`, since it parted from `other` (R3)."""
    if mine.device != run.device or mine.seq > run.seq:
        return False
    return not mine.knows(other) and not other.knows(mine)
