"""Epochs and passes of an item: what was covered when, what completed a pass, what cleared (R7).

An epoch is opened by a reset or an un-complete and holds passes; a pass latches when it completes. A span
belongs to the epoch its device knew; if it did not know of the reset, to the one its time falls in.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from actors.core.intervals import Intervals
from actors.core.item import DONE_SHARE
from actors.core.run import JUMP_MS, Key, Mark, Run
from actors.core.stretch import Stretch

EPOCHS_MAX = 4
"""Epochs kept of an item, the current one included; earlier ones remain as time and in the history."""

LOG_MAX = 32
"""Stretches kept of a run; older ones keep their coverage and lose their time."""


class Completion(NamedTuple):
    """How a pass was completed: when, what told it, and whether by a tick of the user."""

    at_ms: int
    mark: Mark
    marked: bool = False


class Turn(NamedTuple):
    """What opened an epoch. `carried` is the run whose place an un-complete keeps; None for a reset."""

    at_ms: int
    mark: Mark
    carried: Key | None = None


@dataclass(slots=True)
class Pass:
    """One viewing. `let_go` is what runs that are no longer kept covered, by device."""

    coverage: Intervals = field(default_factory=Intervals)
    opened: Mark | None = None
    completion: Completion | None = None
    let_go: dict[str, Intervals] = field(default_factory=dict)


@dataclass(slots=True)
class Epoch:
    """The passes since one clearing; `turn` is None for the first epoch."""

    number: int = 1
    turn: Turn | None = None
    passes: list[Pass] = field(default_factory=lambda: [Pass()])

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
        return [viewing.completion.at_ms for viewing in self.passes if viewing.completion]

    def viewing_of(self, run: Run) -> int:
        """The pass a run begins in: the latest whose opening its device knew of."""
        known = (n for n, p in enumerate(self.passes, 1) if p.opened is None or run.knows_of(p.opened))
        return max(known, default=1)


@dataclass(slots=True)
class Epochs:
    """All epochs of an item that are kept, oldest first; the last one is the current one."""

    kept: list[Epoch] = field(default_factory=lambda: [Epoch()])

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

    def played_now(self, run: Run) -> Iterator[Stretch]:
        """What the run played in the current epoch."""
        if len(self.kept) == 1:
            yield from run.log
            return
        for stretch in run.log:
            yield from (part for epoch, part in self.shares(run, stretch) if epoch is self.current)

    def competes(self, run: Run) -> bool:
        """Whether a real run may have the head: it moved in this epoch, or its place was kept."""
        turn = self.current.turn
        if turn is None or run.key == turn.carried:
            return True
        return run.knows_of(turn.mark) or run.moved_ms >= turn.at_ms

    def pass_of(self, run: Run, epoch: Epoch) -> Pass:
        """The pass in which the run plays in that epoch."""
        if epoch.number == run.epoch:
            number = run.viewing
        else:
            number = epoch.viewing_of(run) if epoch.number > run.epoch else len(epoch.passes)
        return epoch.passes[min(number, len(epoch.passes)) - 1]

    def enter(self, run: Run, epoch: Epoch) -> None:
        """The run acts in this epoch from now on."""
        run.epoch, run.viewing = epoch.number, epoch.viewing_of(run)
        run.rewatch, run.replayed_ms = False, 0

    def begin(self, run: Run, runs: Collection[Run], duration_ms: int) -> None:
        """Find the pass in which a new run plays, and whether its device knew that it was complete (R7)."""
        epoch = self.of(run, run.moved_ms)
        self.enter(run, epoch)
        viewing = self.pass_of(run, epoch)
        done = viewing.completion
        if done is None or epoch is not self.current:
            return
        if run.base_rev >= done.mark.rev or (done.marked and run.device == done.mark.device):
            run.rewatch = True
            return
        known = Intervals(viewing.let_go.get(run.device, ()))
        for other in runs:
            if run.knows_all(other) and self.pass_of(other, epoch) is viewing:
                for stretch in self.played_now(other):
                    known.add(stretch.from_ms, stretch.to_ms)
        run.rewatch = known.length() >= DONE_SHARE * duration_ms

    def cover(self, run: Run, stretch: Stretch) -> None:
        """Count a stretch the run has just played into the passes it belongs to."""
        for epoch, part in self.shares(run, stretch):
            if epoch.number > run.epoch:
                self.enter(run, epoch)
            viewing = self.pass_of(run, epoch)
            if run.rewatch and epoch is self.current:
                run.replayed_ms += viewing.coverage.overlap(part.from_ms, part.to_ms)
            viewing.coverage.add(part.from_ms, part.to_ms)
        if len(run.log) > LOG_MAX:
            self.let_go(run, [run.log.pop(0)])

    def let_go(self, run: Run, stretches: Collection[Stretch]) -> None:
        """Keep what these stretches of a run covered, and no more of them."""
        for stretch in stretches:
            for epoch, part in self.shares(run, stretch):
                viewing = self.pass_of(run, epoch)
                own = viewing.let_go.setdefault(run.device, Intervals())
                own.add(part.from_ms, part.to_ms)

    def open_pass(self, run: Run, rev: int) -> bool:
        """The next pass opens with the first run that knows of the completion and replays 15 s (R7)."""
        epoch = self.current
        if run.epoch != epoch.number or run.replayed_ms <= JUMP_MS:
            return False
        if run.viewing == len(epoch.passes):
            epoch.passes.append(Pass(opened=Mark(run.device, run.seq, rev)))
        run.viewing, run.rewatch, run.replayed_ms = run.viewing + 1, False, 0
        coverage = epoch.passes[run.viewing - 1].coverage
        for stretch in self.played_now(run):
            coverage.add(stretch.from_ms, stretch.to_ms)
        return True

    def complete(self, viewing: Pass, by: Mark, duration_ms: int, runs: Collection[Run]) -> bool:
        """Latch a pass of the current epoch that has become full (R7); True if it has just done so.

        It is dated by the play that completed it, in the order in which things happened: play from before
        that is heard later may still move the date, never the completion.
        """
        enough_ms = DONE_SHARE * duration_ms
        if not viewing.coverage.length() >= enough_ms > 0:
            return False
        former = viewing.completion
        if former is not None and viewing.let_go:
            return False
        here = (run for run in runs if self.pass_of(run, self.current) is viewing)
        at_ms = _filled_at(viewing, [part for run in here for part in self.played_now(run)], enough_ms)
        if former is None:
            viewing.completion = Completion(at_ms, by)
        elif at_ms < former.at_ms:
            viewing.completion = former._replace(at_ms=at_ms)
        return former is None

    def turn(self, by: Run, carried: Key | None, rev: int, runs: Collection[Run]) -> None:
        """Open the epoch of a turn. What was played after it moves there, however late it is heard."""
        turn, last = Turn(by.action_ms, Mark(by.device, by.seq, rev), carried), self.current.turn
        if last is not None and not by.knows_of(last.mark) and turn.at_ms < last.at_ms:
            self._count_earlier(runs)
            return
        former = self.current
        self.kept.append(Epoch(former.number + 1, turn))
        for viewing in former.passes:
            viewing.coverage = Intervals()
            for gone in viewing.let_go.values():
                viewing.coverage.unite(gone)
            done = viewing.completion
            if done is not None and done.at_ms >= turn.at_ms:
                viewing.completion = None
                self.current.passes[0].completion = done if done.marked else None
        for run in runs:
            for stretch in run.log:
                for epoch, part in self.shares(run, stretch):
                    if epoch is former or epoch is self.current:
                        self.pass_of(run, epoch).coverage.add(part.from_ms, part.to_ms)
            if self.of(run, run.moved_ms) is self.current:
                self.enter(run, self.current)
        del self.kept[:-EPOCHS_MAX]

    def _count_earlier(self, runs: Collection[Run]) -> None:
        """A turn is heard that lies before the current one: the epoch is one higher, nothing else changes."""
        number = self.current.number
        self.current.number += 1
        for run in runs:
            if run.epoch == number:
                run.epoch += 1

    def revoke(self, mark: Mark, runs: Collection[Run]) -> bool:
        """Undo a turn: what was played since belongs to the epoch before again (R4). False if it is gone."""
        index = next((i for i, epoch in enumerate(self.kept) if epoch.turn and epoch.turn.mark == mark), 0)
        if index == 0:
            return False
        gone = self.kept.pop(index)
        former = self.kept[index - 1]
        last = former.passes[-1]
        for viewing in gone.passes:
            last.coverage.unite(viewing.coverage)
            for device, spans in viewing.let_go.items():
                last.let_go.setdefault(device, Intervals()).unite(spans)
            last.completion = last.completion or viewing.completion
        for run in runs:
            if run.epoch == gone.number:
                run.epoch, run.viewing, run.replayed_ms = former.number, len(former.passes), 0
                run.rewatch = False
            elif run.epoch > gone.number:
                run.epoch -= 1
        for later in self.kept[index:]:
            later.number -= 1
        return True


def _filled_at(viewing: Pass, played: list[Stretch], enough_ms: float) -> int:
    """When the play reached so much coverage, counted in the order in which it happened."""
    covered = Intervals()
    for gone in viewing.let_go.values():
        covered.unite(gone)
    moment_ms = 0
    for stretch in sorted(played, key=lambda stretch: stretch.end_ms):
        moment_ms = stretch.end_ms
        missing_ms = enough_ms - covered.length()
        for start, end in list(covered.gaps(stretch.from_ms, stretch.to_ms)):
            if end - start >= missing_ms:
                return _moment_at(stretch, start + missing_ms)
            missing_ms -= end - start
            covered.add(start, end)
    return moment_ms


def _moment_at(stretch: Stretch, place_ms: float) -> int:
    share = (place_ms - stretch.from_ms) / (stretch.to_ms - stretch.from_ms)
    return stretch.start_ms + round(share * (stretch.end_ms - stretch.start_ms))
