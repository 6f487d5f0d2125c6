"""Epochs of an item: what each clearing began, and what was played in which (R7).

An epoch is opened by a reset or an un-complete and holds passes. A turn stands among the others where
knowledge, else corrected time puts it, however late it is heard. A span belongs to the epoch its device
knew; if it did not know of the reset, to the one its time falls in.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from actors.core.intervals import Intervals
from actors.core.item import DONE_SHARE
from actors.core.passes import Completion, Pass, Play, arrange
from actors.core.run import Mark, Run
from actors.core.stretch import Stretch

EPOCHS_MAX = 4
"""Epochs kept of an item, the current one included; earlier ones remain as time and in the history."""

TICKS_MAX = 8
"""Ticks kept of a pass: the earliest."""

TAKEN_BACK_MAX = 8
"""Undone turns and ticks that are remembered."""

PASSES_MAX = 24
"""Passes of an epoch kept apart. Of more, neighbours that no kept run plays in become one: a clip may be
watched hundreds of times."""

COMPLETIONS_MAX = 100
"""Dates kept of the completions of passes that have become one with another: the latest."""

LOG_MAX = 32
"""Stretches kept of a run; older ones keep their coverage and lose their time.

So a reset or an undo that is heard later finds them where they were counted: it neither clears nor goes back
to a part of them.
"""


class Turn(NamedTuple):
    """What opened an epoch; `keeps`: an un-complete, which keeps the place, and no reset."""

    at_ms: int
    mark: Mark
    keeps: bool = False


@dataclass(slots=True)
class Epoch:
    """The passes since one clearing; `turn` is None for the first epoch.

    `folded` counts passes, all complete, that have become one with the next, `folded_ms` the latest dates.
    """

    number: int = 1
    turn: Turn | None = None
    passes: list[Pass] = field(default_factory=lambda: [Pass()])
    folded: int = 0
    folded_ms: tuple[int, ...] = ()

    @property
    def done(self) -> bool:
        """Whether one of its passes has been completed (R7)."""
        passes = self.passes
        if len(passes) == 1:
            return passes[0].filled is not None or bool(passes[0].ticks)
        return any(viewing.completion for viewing in passes)

    @property
    def coverage(self) -> Intervals:
        """What all passes of the epoch cover. Not to be changed."""
        if len(self.passes) == 1:
            return self.passes[0].coverage
        union = self.passes[0].coverage.copy()
        for later in self.passes[1:]:
            union.unite(later.coverage)
        return union

    @property
    def completions_ms(self) -> list[int]:
        """When its passes were completed, in order of the passes."""
        kept = [viewing.completion.at_ms for viewing in self.passes if viewing.completion]
        return [*self.folded_ms, *kept]

    def viewing_of(self, run: Run) -> int:
        """The pass a run begins in: the latest whose opening its device knew of."""
        known = (n for n, viewing in enumerate(self.passes[1:], 2) if viewing.begun_before(run))
        return max(known, default=1)

    def fold(self, played: Collection[Pass]) -> int:
        """Make one of two neighbouring complete passes that are not among those played; gives the place of
        the one that is gone, -1 if there are no such two."""
        for place, (former, later) in enumerate(pairwise(self.passes)):
            if former.completion is None or later.completion is None:
                continue
            if not any(viewing is former or viewing is later for viewing in played):
                for device, spans in former.let_go.items():
                    later.let_go.setdefault(device, Intervals()).unite(spans)
                later.coverage.unite(former.coverage)
                later.opened = former.opened
                self.folded += 1
                self.folded_ms = (*self.folded_ms, former.completion.at_ms)[-COMPLETIONS_MAX:]
                del self.passes[place]
                return place
        return -1


class TakenBack(NamedTuple):
    """A turn or a tick that an undo has reverted: a device that did not know of that may undo it as well."""

    turn: Turn | None
    tick: Completion | None
    by: Mark

    def stood_for(self, run: Run) -> bool:
        """Whether the run's device knew it as something that stands."""
        change = self.turn or self.tick
        return change is not None and run.comes_after(change.mark) and not run.comes_after(self.by)


@dataclass(slots=True)
class Epochs:
    """All epochs of an item that are kept, oldest first; the last one is the current one."""

    kept: list[Epoch] = field(default_factory=lambda: [Epoch()])
    taken_back: tuple[TakenBack, ...] = ()

    @property
    def current(self) -> Epoch:
        """The epoch that counts now."""
        return self.kept[-1]

    def of(self, run: Run, moment_ms: int) -> Epoch:
        """The epoch of something the run did at that moment (R7)."""
        for epoch in reversed(self.kept[1:]):
            if epoch.turn and (run.knows_of(epoch.turn.mark) or moment_ms >= epoch.turn.at_ms):
                return epoch
        return self.kept[0]

    def shares(self, run: Run, stretch: Stretch) -> Iterator[tuple[Epoch, Stretch]]:
        """The parts of a stretch by the epoch they belong to, newest first."""
        for epoch in reversed(self.kept):
            turn = epoch.turn
            if turn is None or run.knows_of(turn.mark) or epoch is self.kept[0]:
                yield epoch, stretch
                return
            after, before = stretch.since(turn.at_ms), stretch.until(turn.at_ms)
            if after is not None:
                yield epoch, after
            if before is None:
                return
            stretch = before

    def played_in(self, run: Run, epoch: Epoch) -> Iterator[Stretch]:
        """What the run played in that epoch."""
        if len(self.kept) == 1:
            yield from run.log
            return
        for stretch in run.log:
            yield from (part for its, part in self.shares(run, stretch) if its is epoch)

    def competes(self, run: Run) -> bool:
        """Whether a real run may have the head: it moved since the latest reset; an un-complete keeps it."""
        for epoch in reversed(self.kept):
            turn = epoch.turn
            if turn is not None and not turn.keeps:
                return run.knows_of(turn.mark) or run.moved_ms >= turn.at_ms
        return True

    def pass_of(self, run: Run, epoch: Epoch) -> Pass:
        """The pass in which the run plays in that epoch."""
        number = run.viewing if epoch.number == run.epoch else epoch.viewing_of(run)
        return epoch.passes[min(number, len(epoch.passes)) - 1]

    def begin(self, run: Run) -> None:
        """Find the epoch and the pass in which a new run plays."""
        self._enter(run, self.of(run, run.moved_ms))

    def _enter(self, run: Run, epoch: Epoch) -> None:
        run.epoch, run.viewing, run.replayed_ms = epoch.number, epoch.viewing_of(run), 0

    def play(self, run: Run, stretch: Stretch, runs: Collection[Run], duration_ms: int, now: Mark) -> bool:
        """Count what a run has just played to where it belongs; True if a pass has just become complete."""
        latched = False
        # Most often there is one epoch, and nothing to share out.
        shares = ((self.kept[0], stretch),) if len(self.kept) == 1 else self.shares(run, stretch)
        for epoch, part in shares:
            if epoch.number > run.epoch:
                self._enter(run, epoch)
            viewing = self.pass_of(run, epoch)
            viewing.coverage.add(part.from_ms, part.to_ms)
            full = viewing.coverage.length() >= DONE_SHARE * duration_ms
            if (full or not _opens_out(part.start_ms, epoch, viewing)) and not _plays_out(
                run, part.start_ms, epoch, runs
            ):
                latched = self.arrange(epoch, runs, duration_ms, now) or latched
        if len(self.kept) > 1:
            # The stretch may have lengthened one that is shared out between epochs by its time.
            for epoch in [epoch for epoch, _ in self.shares(run, run.log[-1])]:
                latched = self.arrange(epoch, runs, duration_ms, now) or latched
        if len(run.log) > LOG_MAX:
            self._forget_first(run)
        return latched

    def covered_only(
        self, run: Run, start_ms: int, length_ms: int, runs: Collection[Run], duration_ms: int
    ) -> Intervals | None:
        """The coverage that `play` would add to if that were all it does; None if it may do more.

        It is of a stretch that began at `start_ms` and goes on from the run's latest.
        """
        epoch = self.kept[0]
        if len(self.kept) > 1 or run.epoch != epoch.number or len(run.log) > LOG_MAX:
            return None
        viewing = self.pass_of(run, epoch)
        # Some of it may have been covered before: then it looks full a little early, which does no harm.
        full = viewing.coverage.length() + length_ms >= DONE_SHARE * duration_ms
        if (full or not _opens_out(start_ms, epoch, viewing)) and not _plays_out(run, start_ms, epoch, runs):
            return None
        return viewing.coverage

    def arrange(
        self, epoch: Epoch, runs: Collection[Run], duration_ms: int, now: Mark, anew: bool = False
    ) -> bool:
        """Find which run plays in which pass of an epoch; True if a pass of the current one latched."""
        plays = [Play(run, list(self.played_in(run, epoch))) for run in runs]
        plays = [play for play in plays if play.parts or play.run.epoch == epoch.number]
        viewings, latched = arrange(epoch.passes, plays, DONE_SHARE * duration_ms, now, anew)
        for run, _ in plays:
            if run.epoch == epoch.number:
                run.viewing = viewings[run.key]
        if len(epoch.passes) > PASSES_MAX:
            self._fold(epoch, runs)
        return latched and epoch is self.current

    def _fold(self, epoch: Epoch, runs: Collection[Run]) -> None:
        """Keep the number of passes bounded; runs keep theirs, whatever its number is now."""
        gone = epoch.fold([self.pass_of(run, epoch) for run in runs])
        for run in runs:
            if gone >= 0 and run.epoch == epoch.number and run.viewing > gone + 1:
                run.viewing -= 1

    def _forget_first(self, run: Run) -> None:
        """Of a run's oldest stretch only the coverage stays, and how much of the pass before it replayed."""
        first = run.log.pop(0)
        for epoch, part in self.shares(run, first):
            former = epoch.passes[max(run.viewing - 2, 0)]
            if epoch.number == run.epoch and former.completion is not None:
                run.replayed_ms += former.coverage.overlap(part.from_ms, part.to_ms)
        self.let_go(run, [first])

    def let_go(self, run: Run, stretches: Iterable[Stretch]) -> None:
        """Keep what these stretches of a run covered, and no more of them."""
        for stretch in stretches:
            for epoch, part in self.shares(run, stretch):
                own = self.pass_of(run, epoch).let_go.setdefault(run.device, Intervals())
                own.add(part.from_ms, part.to_ms)

    def tick(self, run: Run, rev: int, runs: Collection[Run], duration_ms: int) -> Completion | None:
        """The user marks the pass done in which the device was (R7); None if the device knew that it is.

        A tick that says nothing new is kept as well: an undo of the one before may not have known it.
        """
        epoch = self.of(run, run.action_ms)
        viewing = epoch.passes[epoch.viewing_of(run) - 1]
        known = self._knows_complete(run, viewing, epoch, runs, duration_ms)
        tick = Completion(run.action_ms, Mark(run.device, run.seq, rev, run.action_ms), marked=True)
        viewing.ticks = sorted([*viewing.ticks, tick])[:TICKS_MAX]
        return None if known else tick

    def _knows_complete(
        self, run: Run, viewing: Pass, epoch: Epoch, runs: Iterable[Run], duration_ms: int
    ) -> bool:
        plays = (
            Play(own, list(self.played_in(own, epoch)))
            for own in runs
            if own.device == run.device and self.pass_of(own, epoch) is viewing
        )
        return viewing.known_complete(run, plays, DONE_SHARE * duration_ms)

    def turn(self, by: Run, keeps: bool, rev: int, runs: Collection[Run], duration_ms: int) -> None:
        """Open the epoch of a turn. What was played after it moves there, however late it is heard."""
        turn = Turn(by.action_ms, Mark(by.device, by.seq, rev, by.action_ms), keeps)
        place = len(self.kept)
        while place and _precedes(turn, by, self.kept[place - 1].turn):
            place -= 1
        if place == 0:
            self._renumber(0, runs)
            return
        former, opened = self.kept[place - 1], Epoch(0, turn)
        self.kept.insert(place, opened)
        for viewing in former.passes:
            if viewing.filled is not None and viewing.filled.at_ms >= turn.at_ms:
                # What was played for it is the new epoch's now, and those who were told of it know.
                opened.passes[0].filled, viewing.filled = viewing.filled, None
            opened.passes[0].ticks += [tick for tick in viewing.ticks if tick.at_ms >= turn.at_ms]
            viewing.ticks = [tick for tick in viewing.ticks if tick.at_ms < turn.at_ms]
        self._renumber(place, runs)
        for epoch in (former, opened):
            self.arrange(epoch, runs, duration_ms, turn.mark, anew=True)
        del self.kept[:-EPOCHS_MAX]

    def take_back(self, mark: Mark, by: Run, rev: int, runs: Collection[Run], duration_ms: int) -> None:
        """Undo the turn or the tick made there (R4); nothing if another undo has."""
        now = Mark(by.device, by.seq, rev, by.action_ms)
        for place in range(1, len(self.kept)):
            turn = self.kept[place].turn
            if turn is not None and turn.mark == mark:
                self._note(TakenBack(turn, None, now))
                self._join(place, runs, duration_ms, now)
                return
        for view in self.views(by):
            if any(tick.mark == mark for _, viewing in view for tick in viewing.ticks):
                for epoch, viewing in view:
                    self._untick(epoch, viewing, by, runs, duration_ms, now)
                return

    def views(self, run: Run) -> Iterator[list[tuple[Epoch, Pass]]]:
        """The passes as the run's device had them, oldest first.

        What lies in an epoch of which it did not know was for it in the pass before.
        """
        view: list[tuple[Epoch, Pass]] = []
        for epoch in self.kept:
            for n, viewing in enumerate(epoch.passes):
                if view and (n or (epoch.turn and run.comes_after(epoch.turn.mark))):
                    yield view
                    view = []
                view.append((epoch, viewing))
        yield view

    def _untick(
        self, epoch: Epoch, viewing: Pass, by: Run, runs: Collection[Run], duration_ms: int, now: Mark
    ) -> None:
        """Take back every tick of the pass that its device knew."""
        known = [tick for tick in viewing.ticks if by.comes_after(tick.mark)]
        if not known:
            return
        viewing.ticks = [tick for tick in viewing.ticks if tick not in known]
        for tick in known:
            self._note(TakenBack(None, tick, now))
        self.arrange(epoch, runs, duration_ms, now, anew=True)

    def _note(self, gone: TakenBack) -> None:
        self.taken_back = (*self.taken_back, gone)[-TAKEN_BACK_MAX:]

    def _join(self, place: int, runs: Collection[Run], duration_ms: int, now: Mark) -> None:
        """What was played since that turn belongs to the epoch before it again."""
        gone, former = self.kept.pop(place), self.kept[place - 1]
        last = former.passes[-1]
        for viewing in gone.passes:
            last.filled = last.filled or viewing.filled
            last.ticks += viewing.ticks
            for device, spans in viewing.let_go.items():
                last.let_go.setdefault(device, Intervals()).unite(spans)
        self._renumber(place, runs)
        self.arrange(former, runs, duration_ms, now, anew=True)

    def known_to(self, run: Run) -> "Epochs":
        """The epochs as the run's device knew them, to see what competed there."""
        known = [e for e in self.kept[1:] if e.turn and run.comes_after(e.turn.mark)]
        return Epochs([self.kept[0], *known], self.taken_back)

    def without(self, mark: Mark) -> "Epochs":
        """The epochs as they would be without that turn, to see who would compete."""
        return Epochs([epoch for epoch in self.kept if epoch.turn is None or epoch.turn.mark != mark])

    def _renumber(self, place: int, runs: Collection[Run]) -> None:
        """The epochs from this place on have another number now, and runs may be in another one."""
        former = self.kept[place - 1] if place else self.kept[0]
        for n, epoch in enumerate(self.kept[place:], former.number + 1):
            epoch.number = n
        for run in runs:
            epoch = self.of(run, run.moved_ms)
            run.epoch, run.viewing = epoch.number, epoch.viewing_of(run)


def _precedes(turn: Turn, by: Run, other: Turn | None) -> bool:
    """Whether a turn that is heard now lies before another one, which its device may have known."""
    if other is None or by.knows_of(other.mark):
        return False
    return (turn.at_ms, turn.mark[:2]) < (other.at_ms, other.mark[:2])


def _opens_out(start_ms: int, epoch: Epoch, viewing: Pass) -> bool:
    """Whether it is the last pass and not complete, and no play from then on tells of those before it."""
    passes = epoch.passes
    if viewing is not passes[-1] or viewing.filled is not None or viewing.ticks:
        return False
    if len(passes) == 1:
        return True
    return all(gone.filled is not None and gone.filled.at_ms <= start_ms for gone in passes[:-1])


def _plays_out(run: Run, start_ms: int, epoch: Epoch, runs: Collection[Run]) -> bool:
    """Whether the run only goes on in the pass it has completed: nothing else can come of that, cheaply told.

    It began before the pass was full, no other real run has done anything since, and its play is no older.
    """
    viewing = epoch.passes[-1]
    filled = viewing.filled
    if filled is None or viewing.ticks or start_ms < filled.at_ms or run.base_rev >= filled.mark.rev:
        return False
    if run.device != filled.mark.device or run.seq > filled.mark.seq or run.viewing != len(epoch.passes):
        return False
    return all(other is run or other.last_rev < filled.mark.rev for other in runs)
