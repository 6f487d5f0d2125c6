"""Passes of an epoch: who plays in which, what each covers, and when it was complete (R7).

All of it is a function of the runs, of the ticks and of what each device knew, never of the order of arrival:

- A run plays in the latest pass whose opening its device knew. It opens the next one, as a whole, when it
  knew this one to be complete and has replayed more than 15 s of what those who did not know had covered.
- A device knows that a pass is complete when it had seen the revision that said so, ticked it before, or
  had played enough of it alone.
- A pass is complete from the moment at which it was full, or from an earlier tick.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from actors.core.intervals import Intervals
from actors.core.run import JUMP_MS, Key, Mark, Run
from actors.core.stretch import Stretch


class Completion(NamedTuple):
    """How a pass was completed: when, what told it, and whether by a tick of the user."""

    at_ms: int
    mark: Mark
    marked: bool = False


class Play(NamedTuple):
    """A run, and what it played in the epoch at hand."""

    run: Run
    parts: list[Stretch]


@dataclass(slots=True)
class Pass:
    """One viewing.

    `opened` is the first run of each device that opened it, `filled` says when play had completed it,
    `ticks` that the user did. `let_go` is what runs that are no longer kept covered, by device. `settled`:
    the content has been edited since, so the coverage of now says nothing about its opening and completion
    then, and those stay (R7, R9).
    """

    coverage: Intervals = field(default_factory=Intervals)
    opened: dict[str, Mark] = field(default_factory=dict)
    filled: Completion | None = None
    ticks: list[Completion] = field(default_factory=list)
    let_go: dict[str, Intervals] = field(default_factory=dict)
    settled: bool = False

    @property
    def completion(self) -> Completion | None:
        """What completed it first, if anything."""
        if not self.ticks:
            return self.filled
        told = [*self.ticks, self.filled] if self.filled else self.ticks
        return min(told, key=lambda done: (done.at_ms, done.mark[:2]), default=None)

    def begun_before(self, run: Run) -> bool:
        """Whether the run's device knew of its opening."""
        return any(run.comes_after(mark) for mark in self.opened.values())

    def known_complete(self, run: Run, plays: Iterable[Play], enough_ms: float) -> bool:
        """Whether the run's device knew that it is complete. `plays` are those of the pass."""
        if any(run.comes_after(tick.mark) for tick in self.ticks):
            return True
        if self.filled is None:
            return False
        if run.base_rev >= self.filled.mark.rev:
            return True
        alone = Intervals(self.let_go.get(run.device, ()))
        for own, parts in plays:
            if own.device == run.device and own.seq < run.seq:
                _unite(alone, parts)
        return alone.length() >= enough_ms

    def gone(self) -> Intervals:
        """What runs that are no longer kept covered."""
        union = Intervals()
        for spans in self.let_go.values():
            union.unite(spans)
        return union

    def fill(self, plays: Collection[Play], enough_ms: float, now: Mark) -> bool:
        """Latch the pass if it is full; True if it has just become so.

        Play from before that is heard later may still move the date, never the completion.
        """
        if self.filled is not None and (self.let_go or self.settled):
            return False
        at_ms = _filled_at(self.gone(), [part for play in plays for part in play.parts], enough_ms)
        if at_ms is None:
            return False
        if self.filled is not None:
            self.filled = self.filled._replace(at_ms=min(at_ms, self.filled.at_ms))
            return False
        self.filled = Completion(at_ms, now)
        return True


def arrange(
    passes: list[Pass], plays: Sequence[Play], enough_ms: float, now: Mark
) -> tuple[dict[Key, int], bool]:
    """Put every run into its pass: (the number of the pass by run, whether a pass has just become complete).

    `now` is what has just been heard, and the revision that tells what comes of it.
    """
    viewings: dict[Key, int] = {}
    left, latched, number = list(plays), False, 1
    while number <= len(passes):
        viewing = passes[number - 1]
        while True:
            later = passes[number:]
            here = [play for play in left if not any(p.begun_before(play.run) for p in later)]
            latched = viewing.fill(here, enough_ms, now) or latched
            openers = _openers(viewing, here, enough_ms) + _settled_openers(later, here)
            if not _open_next(passes, number, openers, plays, now):
                break
        stay = [play for play in here if play.run not in openers]
        viewing.coverage = viewing.gone()
        for play in stay:
            viewings[play.run.key] = number
            _unite(viewing.coverage, play.parts)
        left = [play for play in left if play.run.key not in viewings]
        number += 1
    return viewings, latched


def _openers(viewing: Pass, here: Sequence[Play], enough_ms: float) -> list[Run]:
    """The runs that knew the pass to be complete and have replayed enough of it to open the next one."""
    if viewing.completion is None:
        return []
    knowing = [play for play in here if play.run.real and viewing.known_complete(play.run, here, enough_ms)]
    if not knowing:
        return []
    former = viewing.gone()
    for play in here:
        if play not in knowing:
            _unite(former, play.parts)
    return [
        run
        for run, parts in knowing
        if run.replayed_ms + sum(former.overlap(part.from_ms, part.to_ms) for part in parts) > JUMP_MS
    ]


def _settled_openers(later: Sequence[Pass], here: Sequence[Play]) -> list[Run]:
    """The runs that opened the next pass before the content was edited."""
    if not later or not later[0].settled:
        return []
    return [run for run, _ in here if (mark := later[0].opened.get(run.device)) and mark.seq == run.seq]


def _open_next(
    passes: list[Pass], number: int, openers: Sequence[Run], plays: Sequence[Play], now: Mark
) -> bool:
    """Write down by which runs the pass after this one is opened; True if that has changed."""
    known = {play.run.key for play in plays}
    former = passes[number].opened if number < len(passes) else {}
    opened = {device: mark for device, mark in former.items() if (device, mark.seq) not in known}
    for run in sorted(openers, key=lambda run: run.seq):
        mark = former.get(run.device)
        same = mark is not None and mark.seq == run.seq
        opened.setdefault(run.device, mark if mark and same else Mark(run.device, run.seq, now.rev))
    if opened == former:
        return False
    if number == len(passes):
        passes.append(Pass())
    passes[number].opened = opened
    if not opened:
        del passes[number:]
    return True


def _filled_at(gone: Intervals, parts: Sequence[Stretch], enough_ms: float) -> int | None:
    """The first moment at which so much had been covered; None if it is not yet."""

    def covered_ms(moment_ms: int) -> int:
        covered = gone.copy()
        for part in parts:
            if part.start_ms < moment_ms:
                covered.add(part.from_ms, part.place_at(moment_ms))
        return covered.length()

    if not parts or enough_ms <= 0:
        return None
    before_ms, by_ms = min(part.start_ms for part in parts), max(part.end_ms for part in parts)
    if covered_ms(by_ms) < enough_ms:
        return None
    while before_ms + 1 < by_ms:
        middle_ms = (before_ms + by_ms) // 2
        if covered_ms(middle_ms) < enough_ms:
            before_ms = middle_ms
        else:
            by_ms = middle_ms
    return by_ms


def _unite(covered: Intervals, parts: Iterable[Stretch]) -> None:
    for part in parts:
        covered.add(part.from_ms, part.to_ms)
