"""What an undo reverts: the latest head change its device knew of (R4); and what an un-tick may take back.

Worked out from the runs, ticks and turns its device knew, and so the same whatever arrived first: what the
head was among them, and what it would be without the latest of them. Two devices that undo the same change
without knowing of each other undo it once.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from actors.core.changes import DONE, EPOCH, PLACE, moves
from actors.core.contest import decide
from actors.core.epochs import Epochs, Turn
from actors.core.intervals import Intervals
from actors.core.item import DONE_SHARE
from actors.core.passes import Completion, Pass
from actors.core.run import Mark, Run
from actors.core.stretch import Stretch


class Step(NamedTuple):
    """A change that can be reverted: what, when it was made, by which event, and the place before it.

    `place_ms` is None if the change was none of the place.
    """

    what: str
    at_ms: int
    mark: Mark
    place_ms: int | None = None


def latest_known(run: Run, runs: Collection[Run], epochs: Epochs) -> Step | None:
    """The latest change the run's device knew of: what its user means by undo."""
    ticks, known = _ticks(run, epochs), [other for other in runs if run.knows(other)]
    epochs = epochs.known_to(run)
    steps = [*_places(known, epochs), *_turns(run, epochs, known), *ticks]
    return max(steps, key=lambda step: (step.at_ms, step.mark[:2], step.what), default=None)


def _places(known: Collection[Run], epochs: Epochs) -> list[Step]:
    """The latest change of the place, if there was one."""
    left = list(known)
    decision = decide(left, epochs)
    while decision is not None:
        head = decision.head
        left = [run for run in left if run is not head]
        before = decide(left, epochs)
        if before is None or head.kind == "reset":
            return []
        place_ms = before.head.place_at(head.real_ms)
        if moves(head, before.head, place_ms):
            return [Step(PLACE, head.action_ms, Mark(*head.key, head.first_rev), place_ms)]
        decision = before
    return []


def _turns(run: Run, epochs: Epochs, known: Collection[Run]) -> list[Step]:
    turns = [epoch.turn for epoch in epochs.kept[1:] if epoch.turn and run.comes_after(epoch.turn.mark)]
    turns += [gone.turn for gone in epochs.taken_back if gone.turn and gone.stood_for(run)]
    return [Step(EPOCH, turn.at_ms, turn.mark, _place_before(turn, known, epochs)) for turn in turns]


def _ticks(run: Run, epochs: Epochs) -> list[Step]:
    """The first tick of each pass that its device knew, unless the pass was complete before."""
    views: list[tuple[list[Completion], list[Completion]]] = []
    for view in epochs.views(run):
        ticks = [tick for _, viewing in view for tick in viewing.ticks if run.comes_after(tick.mark)]
        filled = [done for _, viewing in view if (done := viewing.filled) and done.seen_by(run)]
        views.append((ticks, filled))
    firsts = [(min(ticks), filled) for ticks, filled in views if ticks]
    steps = [
        Step(DONE, first.at_ms, first.mark)
        for first, filled in firsts
        if all(done.at_ms > first.at_ms for done in filled)
    ]
    gone = [gone.tick for gone in epochs.taken_back if gone.tick and gone.stood_for(run)]
    return steps + [Step(DONE, tick.at_ms, tick.mark) for tick in gone]


def _place_before(turn: Turn, known: Collection[Run], epochs: Epochs) -> int | None:
    """The place as it would be without that reset; None if the turn has kept it."""
    if turn.keeps:
        return None
    decision = decide([run for run in known if run.key != turn.mark[:2]], epochs.without(turn.mark))
    return decision.head.place_at(turn.at_ms) if decision else 0


def may_take_back(run: Run, runs: Collection[Run], epochs: Epochs, duration_ms: int) -> bool:
    """Whether its device knew the item to be done: what it did not know it does not take back (R7).

    Of one whose knowledge died with an owner it is believed: what it knew may be told anew after it.
    """
    if run.lost_rev:
        return True
    kept = [epoch.turn for epoch in epochs.kept if epoch.turn and run.comes_after(epoch.turn.mark)]
    gone = [back.turn for back in epochs.taken_back if back.turn and back.stood_for(run)]
    since = max([*kept, *gone], default=None)
    since_ms = since.at_ms if since else 0
    ticks = [back.tick for back in epochs.taken_back if back.tick and back.stood_for(run)]
    here = next((n for n, epoch in enumerate(epochs.kept) if epoch.turn == since), 0)
    passes = [viewing for epoch in epochs.kept[here:] for viewing in epoch.passes]
    told = [tick for viewing in passes for tick in viewing.ticks if run.comes_after(tick.mark)]
    told += [viewing.filled for viewing in passes if viewing.filled and viewing.filled.seen_by(run)]
    if any(tick.at_ms >= since_ms for tick in ticks) or (told and since not in gone):
        return True
    if any(done.at_ms >= since_ms for done in told):
        return True
    return _played_alone(run, since, passes, runs).length() >= DONE_SHARE * duration_ms


def _played_alone(run: Run, since: Turn | None, passes: Iterable[Pass], runs: Iterable[Run]) -> Intervals:
    """What its device had covered itself before the run, in these passes and since that turn."""
    alone = Intervals()
    for viewing in passes:
        alone.unite(viewing.let_go.get(run.device, Intervals()))
    for mine in (mine for mine in runs if mine.device == run.device and mine.seq < run.seq):
        for stretch in mine.log:
            part: Stretch | None = stretch
            if since is not None and not mine.knows_of(since.mark):
                part = stretch.since(since.at_ms)
            if part is not None:
                alone.add(part.from_ms, part.to_ms)
    return alone
