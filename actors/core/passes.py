"""Passes of an epoch: who plays in which, what each covers, and when it was complete (R7).

All of it is a function of the runs, of the ticks and of what each device knew, never of the order of arrival:

- A run plays in the latest pass whose opening its device knew. It opens the next one, as a whole, when it
  knew this one to be complete and has replayed more than 15 s of what those who did not know had covered.
- A device knows that a pass is complete when it had seen the revision that said so, ticked it before, or
  had played enough of it alone.
- A pass is complete from the moment at which it was full, or from an earlier tick.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
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

    def seen_by(self, run: Run) -> bool:
        """Whether the run's device had been told; what told it may be older than the completion itself."""
        return run.has_seen(self.mark.rev, max(self.at_ms, self.mark.at_ms))


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
        if self.filled.seen_by(run):
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

    def fill(self, plays: Collection[Play], enough_ms: float, now: Mark, anew: bool) -> bool:
        """Latch the pass if it is full; True if it has just become so.

        Play from before that is heard later may still move the date, never the completion; only a turn or an
        undo gives play to another pass, and so works it out `anew`.
        """
        if self.filled is not None and (self.let_go or self.settled):
            return False
        parts = [part for play in plays for part in play.parts]
        if self.filled is not None and not anew:
            # Most often its date does not move, which is cheaply told.
            before_ms = self.filled.at_ms - 1
            if _covered_ms(self.gone(), parts, before_ms) < enough_ms:
                return False
        at_ms = _filled_at(self.gone(), parts, enough_ms)
        if at_ms is None:
            self.filled = None if anew else self.filled
            return False
        if self.filled is not None:
            self.filled = self.filled._replace(at_ms=at_ms if anew else min(at_ms, self.filled.at_ms))
            return False
        self.filled = Completion(at_ms, now)
        return True


def arrange(
    passes: list[Pass], plays: Sequence[Play], enough_ms: float, now: Mark, anew: bool = False
) -> tuple[dict[Key, int], bool]:
    """Put every run into its pass: (the number of the pass by run, whether a pass has just become complete).

    `now` is what has just been heard, and the revision that tells what comes of it; `anew`: it is a turn or
    an undo, and may end completions.
    """
    viewings: dict[Key, int] = {}
    kept = {play.run.key for play in plays}
    left, latched, number = list(plays), False, 1
    while number <= len(passes):
        viewing, later = passes[number - 1], passes[number:]
        if viewing.completion is None:
            _reopen(passes, number, _settled_openers(later, left), kept, now)
        elif anew and later and not later[0].settled:
            # Who knew it complete only by what is taken back now has opened nothing.
            gone = kept - {run.key for run in _openers(viewing, (), left, enough_ms)}
            opened = later[0].opened.items()
            later[0].opened = {device: mark for device, mark in opened if (device, mark.seq) not in gone}
        here = [play for play in left if not any(other.begun_before(play.run) for other in later)]
        latched = viewing.fill(here, enough_ms, now, anew) or latched
        openers = _openers(viewing, later, left, enough_ms) + _settled_openers(later, left)
        _reopen(passes, number, openers, kept, now)
        later, viewing.coverage = passes[number:], viewing.gone()
        opening = {run.key for run in openers}  # runs compare field by field, which is slow
        for run, parts in left:
            if run.key not in opening and not any(other.begun_before(run) for other in later):
                viewings[run.key] = number
                _unite(viewing.coverage, parts)
        left = [play for play in left if play.run.key not in viewings]
        number += 1
    return viewings, latched


def _openers(viewing: Pass, later: Sequence[Pass], left: Sequence[Play], enough_ms: float) -> list[Run]:
    """The runs that knew the pass to be complete and have replayed enough of it to open the next one.

    What counts as replayed is what those covered who did not know it.
    """
    if viewing.completion is None:
        return []
    knowing = [
        play
        for play in left
        if viewing.known_complete(play.run, left, enough_ms)
        or any(other.begun_before(play.run) for other in later)
    ]
    if not knowing:
        return []
    former, known = viewing.gone(), {play.run.key for play in knowing}
    for play in left:
        if play.run.key not in known:
            _unite(former, play.parts)
    return [
        run
        for run, parts in knowing
        if run.real
        and run.replayed_ms + sum(former.overlap(part.from_ms, part.to_ms) for part in parts) > JUMP_MS
    ]


def _settled_openers(later: Sequence[Pass], left: Sequence[Play]) -> list[Run]:
    """The runs that opened the next pass before the content was edited."""
    if not later or not later[0].settled:
        return []
    return [run for run, _ in left if (mark := later[0].opened.get(run.device)) and mark.seq == run.seq]


def _reopen(
    passes: list[Pass], number: int, openers: Sequence[Run], kept: Collection[Key], now: Mark
) -> None:
    """Write down by which runs the pass after this one is opened; what nobody opens is one with this one."""
    former = passes[number].opened if number < len(passes) else {}
    opened = {device: mark for device, mark in former.items() if (device, mark.seq) not in kept}
    for run in sorted(openers, key=lambda run: run.seq):
        mark = former.get(run.device)
        if mark is None or mark.seq != run.seq:
            mark = now._replace(device=run.device, seq=run.seq)
        opened.setdefault(run.device, mark)
    if opened and number == len(passes):
        passes.append(Pass())
    viewing, later = passes[number - 1], passes[number:]
    if opened:
        later[0].opened = opened
        later[0].ticks += [tick for tick in viewing.ticks if _ticked_after(tick, opened)]
        viewing.ticks = [tick for tick in viewing.ticks if not _ticked_after(tick, opened)]
        return
    for gone in later:
        viewing.ticks += gone.ticks
        for device, spans in gone.let_go.items():
            viewing.let_go.setdefault(device, Intervals()).unite(spans)
    del passes[number:]


def _ticked_after(tick: Completion, opened: Mapping[str, Mark]) -> bool:
    """Whether the device that ticked had opened the next pass itself before."""
    mark = opened.get(tick.mark.device)
    return mark is not None and tick.mark.seq > mark.seq


def _filled_at(gone: Intervals, parts: Sequence[Stretch], enough_ms: float) -> int | None:
    """The first moment at which so much had been covered; None if it is not yet."""
    if not parts or enough_ms <= 0:
        return None
    before_ms, by_ms = min(part.start_ms for part in parts), max(part.end_ms for part in parts)
    if _covered_ms(gone, parts, by_ms) < enough_ms:
        return None
    while before_ms + 1 < by_ms:
        middle_ms = (before_ms + by_ms) // 2
        if _covered_ms(gone, parts, middle_ms) < enough_ms:
            before_ms = middle_ms
        else:
            by_ms = middle_ms
    return by_ms


def _covered_ms(gone: Intervals, parts: Iterable[Stretch], moment_ms: int) -> int:
    """How much had been covered by that moment."""
    covered = gone.copy()
    for part in parts:
        if part.start_ms < moment_ms:
            covered.add(part.from_ms, part.place_at(moment_ms))
    return covered.length()


def _unite(covered: Intervals, parts: Iterable[Stretch]) -> None:
    for part in parts:
        covered.add(part.from_ms, part.to_ms)
