"""One student's progress in one item: the head, coverage, passes and epochs, folded event by event."""

from dataclasses import dataclass, field, replace

from actors.core.events import Event
from actors.core.intervals import Intervals
from actors.core.item import DONE_SHARE, Item
from actors.core.run import JUMP_MS, Decision, Run, candidate, decide, settled
from actors.core.visit import Visit

RUNS_MAX = 32
"""Runs kept per item; older ones that lost are folded into the coverage of the pass."""

CHANGES_MAX = 8
"""Head changes kept for undo."""

STALE_PLAY_MS = 30_000
"""A playing device that has been silent for three beats is not shown as playing."""

END_CLIP_MS = 15_000
"""Places up to this far past the end are clipped, farther ones quarantined (R9)."""


class Quarantined(ValueError):
    """The event is impossible for its item: reported, counted nowhere, moving nothing (R9)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class When:
    """The times of an event: corrected, and of its receipt; `rev_floor` is the least revision to give out."""

    at_ms: int
    now_ms: int
    rev_floor: int


@dataclass(frozen=True, slots=True)
class Change:
    """A head as it stood before another run took it: what undo brings back (R4)."""

    position_ms: int
    done: bool


@dataclass(slots=True)
class Progress:
    """State of one (student, item). Positions in content ms of the current version, times in server ms.

    `rev` grows with every visible change; `epoch` counts resets, `viewing` passes; `completed_rev` is the
    revision at which the current pass completed, 0 while it has not. `runs` still compete for the head,
    `covered` is what the others covered in this pass.
    """

    item: str
    rev: int = 0
    epoch: int = 1
    viewing: int = 1
    rule: str = ""
    done: bool = False
    completions: list[int] = field(default_factory=list)
    completed_rev: int = 0
    completed_by: tuple[str, int] = ("", 0)
    reset_rev: int = 0
    reset_ms: int = 0
    content_ms: int = 0
    coverage: Intervals = field(default_factory=Intervals)
    pass_coverage: Intervals = field(default_factory=Intervals)
    wall: Intervals = field(default_factory=Intervals)
    covered: Intervals = field(default_factory=Intervals)
    runs: list[Run] = field(default_factory=list)
    head: Run | None = None
    loser: Run | None = None
    changes: list[Change] = field(default_factory=list)

    @property
    def position_ms(self) -> int:
        """The resume position; 0 if there is none."""
        return self.head.position_ms if self.head else 0

    def playing_now(self, now_ms: int) -> bool:
        """Whether the head's device is playing, as far as the server knows."""
        head = self.head
        return head is not None and head.playing and now_ms - head.moved_ms < STALE_PLAY_MS

    def fold(self, event: Event, when: When, visit: Visit, item: Item, device: str) -> bool:
        """Fold one event of a device; True if what devices see changed. Raises `Quarantined` (R9)."""
        event = _within(event, item)
        before = self._visible()
        if visit.starts_run(event):
            self._begin(event, when.at_ms, visit, device)
        if event.kind == "played":
            self._play(event, when.at_ms, visit)
        elif event.kind in ("paused", "ended", "closed"):
            self._stop(event, visit, item)
        if event.kind not in ("opened", "closed"):
            self._settle(visit, when)
            self._complete(event, when, item)
        visit.stamp(event)
        return before != self._visible()

    def _visible(self) -> tuple[int, int, bool]:
        return self.rev, self.content_ms, self.head is not None and self.head.playing

    def stop_playing(self, visit: Visit) -> bool:
        """The visit's player no longer plays (connection gone, stalled): True if the head showed it."""
        run = visit.run
        if run is None or not run.playing:
            return False
        run.playing = False
        return run is self.head

    def offered(self, duration_ms: int) -> Run | None:
        """The losing run whose place is the second resume candidate (R4)."""
        if self.head is None or self.loser is None:
            return None
        return candidate(Decision(self.head, self.rule, self.loser), self.runs, self.covered, duration_ms)

    def _begin(self, event: Event, at_ms: int, visit: Visit, device: str) -> None:
        if event.kind in ("reset", "marked"):
            self._turn_epoch(event, at_ms)
        place = event.position_ms
        if event.kind == "undone":
            place = self._undone_place()
        elif event.kind == "reset":
            place = 0
        was_playing = visit.run is not None and visit.run.playing
        visit.run = Run(
            device=device,
            seq=event.seq,
            session=event.session,
            kind=event.kind,
            base_rev=event.base_rev,
            action_ms=at_ms,
            epoch=self._epoch_of(event, at_ms),
            viewing=self.viewing,
            position_ms=self.position_ms if place is None else place,
            moved_ms=at_ms,
            playing=event.kind == "play" or was_playing,
            rate=event.rate,
        )
        if event.kind == "chosen":
            visit.intent = "resume"

    def _play(self, event: Event, at_ms: int, visit: Visit) -> None:
        assert event.from_ms is not None and event.to_ms is not None
        start, end = event.from_ms, event.to_ms
        run = visit.run
        if run is not None:
            run.position_ms, run.moved_ms, run.rate = end, at_ms, event.rate
            run.playing = True
        if not visit.earns_credit(event, end - start):
            return
        visit.played_ms += end - start
        self.content_ms += end - start
        self.wall.add(at_ms - round((end - start) / event.rate), at_ms)
        if self._epoch_of(event, at_ms) < self.epoch:
            return
        self.coverage.add(start, end)
        if run is not None:
            self._open_pass(run, start, end)
            run.spans.add(start, end)
        self.pass_coverage.add(start, end)

    def _stop(self, event: Event, visit: Visit, item: Item) -> None:
        run = visit.run
        if run is None:
            return
        run.playing = False
        if event.kind == "ended" and item.duration_ms - run.position_ms <= JUMP_MS:
            run.position_ms = item.duration_ms

    def _settle(self, visit: Visit, when: When) -> None:
        """Give the touched run its revision, decide the head anew, let go of runs that cannot win."""
        run = visit.run
        if run is None or not (run.real or visit.makes_real(run.kind)):
            return
        run.last_rev = self._next_rev(when)
        if not run.real:
            run.first_rev, run.seen_ms = run.last_rev, when.now_ms
        if not any(run is known for known in self.runs):
            self.runs.append(run)
        self._decide()

    def _next_rev(self, when: When) -> int:
        self.rev = max(self.rev + 1, when.rev_floor)
        return self.rev

    def _decide(self) -> None:
        decision = decide([run for run in self.runs if run.epoch == self.epoch], self.covered)
        if decision is None:
            return
        if self.head is not None and self.head.key != decision.head.key:
            self.changes = [*self.changes, Change(self.head.position_ms, self.done)][-CHANGES_MAX:]
        self.head, self.rule, self.loser = decision.head, decision.rule, decision.loser
        self._release(decision)

    def _release(self, decision: Decision) -> None:
        keep: list[Run] = []
        for run in self.runs:
            gone = run.epoch != self.epoch or (
                run is not decision.loser and settled(run, decision, self.runs)
            )
            if gone:
                self.covered.unite(run.spans)
            else:
                keep.append(run)
        keep.sort(key=lambda run: run.moved_ms)
        while len(keep) > RUNS_MAX:
            oldest = next(run for run in keep if run is not decision.head)
            self.covered.unite(oldest.spans)
            keep = [run for run in keep if run is not oldest]
        self.runs = keep

    def _open_pass(self, run: Run, start: int, end: int) -> None:
        """The next pass opens with the first run that knows of the completion and replays 15 s (R7)."""
        if not self.completed_rev or not self._knows_completion(run):
            return
        run.replayed_ms += self.pass_coverage.overlap(start, end)
        if run.replayed_ms > JUMP_MS:
            self.viewing += 1
            run.viewing = self.viewing
            self.pass_coverage = run.spans.copy()
            self.covered = Intervals()
            self.completed_rev = 0

    def _knows_completion(self, run: Run) -> bool:
        device, seq = self.completed_by
        return run.seq > seq if run.device == device else run.base_rev >= self.completed_rev

    def _complete(self, event: Event, when: When, item: Item) -> None:
        """A pass is complete at 90 % unique coverage, or when the user marks it done; it latches (R7)."""
        marked = event.kind == "marked" and event.done is True
        full = self.pass_coverage.length() >= DONE_SHARE * item.duration_ms > 0
        if self.completed_rev or not (marked or (full and event.kind == "played")):
            return
        self.done, self.completed_rev = True, self._next_rev(when)
        self.completions.append(when.at_ms)
        self.completed_by = ("", 0) if self.head is None else (self.head.device, event.seq)

    def _turn_epoch(self, event: Event, at_ms: int) -> None:
        """Only a reset or an un-complete clears: epoch + 1 with empty coverage (R7)."""
        if event.kind == "marked" and event.done:
            return
        self.epoch += 1
        self.reset_rev, self.reset_ms = self.rev + 1, at_ms
        self.done, self.completed_rev, self.viewing = False, 0, 1
        self.completions = []
        self.coverage, self.pass_coverage, self.covered = Intervals(), Intervals(), Intervals()

    def _epoch_of(self, event: Event, at_ms: int) -> int:
        """The epoch an event belongs to: the one its device knew, else the one its time falls in (R7)."""
        knew = event.base_rev >= self.reset_rev or event.kind in ("reset", "marked")
        return self.epoch if knew or at_ms >= self.reset_ms else self.epoch - 1

    def _undone_place(self) -> int:
        if not self.changes:
            return self.position_ms
        last = self.changes.pop()
        self.done = self.done and last.done
        return last.position_ms


def _within(event: Event, item: Item) -> Event:
    """The event inside its version, or `Quarantined` (R9)."""
    duration_ms = item.durations_ms.get(event.version)
    if duration_ms is None:
        raise Quarantined("unknown_version", f"{item.id} has no version {event.version}")
    places = (event.position_ms, event.from_ms, event.to_ms)
    beyond = max((place for place in places if place is not None), default=0) - duration_ms
    if beyond <= 0:
        return event
    if beyond > END_CLIP_MS:
        raise Quarantined("beyond_end", f"{beyond} ms past the end of {item.id} {event.version}")
    return _clipped(event, duration_ms)


def _clipped(event: Event, duration_ms: int) -> Event:
    def clip(place: int | None) -> int | None:
        return None if place is None else min(place, duration_ms)

    return replace(
        event,
        position_ms=clip(event.position_ms),
        from_ms=clip(event.from_ms),
        to_ms=clip(event.to_ms),
    )
