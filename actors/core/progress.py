"""One student's progress in one item: the head, coverage, passes and epochs, folded event by event."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from actors.core import changes, contest, undoing
from actors.core.editions import Way
from actors.core.epochs import Epochs
from actors.core.events import REGISTERS, Event
from actors.core.intervals import Intervals
from actors.core.item import Item
from actors.core.quizzes import Action, Answer, Attempt
from actors.core.run import ADVANCE, AUTO, JUMP_MS, Key, Mark, Run
from actors.core.stretch import LIVE_MS, Stretch, append
from actors.core.visit import Visit

RUNS_MAX = 24
"""Runs kept per item; of older ones only what they covered is."""

ALONE_MAX, ALONE_LEFT = 12, 8
"""Runs kept, and left of too many, while the student has only ever had one device. All it will say comes
later in the same journal and so knows them all (R2): none of them competes again, and an undo asks for the
latest ones. It is most of what a session weighs, and of what a checkpoint writes."""

STALE_PLAY_MS = 30_000
"""A playing device that has been silent for three beats is not shown as playing."""

END_CLIP_MS = 15_000
"""Places up to this far past the end are clipped, farther ones quarantined (R9)."""

WALL_GAP_MS = 250
"""Beats this close together were played without a break: the jitter of a player's timers."""

DECREES = frozenset({"reset", "marked", "undone"})
"""Kinds that may open or close an epoch, and so change who competes for the head."""

LOST_MAX = 4
"""Owners that died of which is remembered which revisions they took along."""

QUARTER_MS = 900_000
"""Time is kept by quarters of an hour of UTC: every zone's calendar day is made of whole ones."""

STOPS = frozenset({"paused", "ended", "closed"})
QUIET = frozenset({"opened", "paused", "closed"})
"""Kinds that move nothing (R1): the decision about the head stays as it is."""


class Quarantined(ValueError):
    """The event is impossible for its item: reported, counted nowhere, moving nothing (R9)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class When(NamedTuple):
    """The times of an event: corrected, and of its receipt; `rev_floor` is the least revision to give out.

    `action_ms` is when the device's user last acted: what an automatic advance continues (R10). `sealed`:
    it has been told to be durable that the attempt at the quiz was handed in. `alone`: no other device of
    the student has ever been here.
    """

    at_ms: int
    now_ms: int
    rev_floor: int
    action_ms: int = 0
    sealed: bool = False
    alone: bool = False


class Fact(NamedTuple):
    """An event that happened, where and when; `rev` is the revision it gets if it changes anything.

    `event.position_ms` is a place of the current version. Spans are of the event's own version, from which
    `way` leads to the current one; None if that is the same.
    """

    event: Event
    when: When
    visit: Visit
    item: Item
    device: str
    rev: int
    way: Way | None = None


class Lost(NamedTuple):
    """Revisions that an owner may have told and that died with it: after the one, before the other."""

    after_rev: int
    until_rev: int

    def holds(self, rev: int) -> bool:
        """Whether this is one of them."""
        return self.after_rev < rev < self.until_rev


@dataclass(slots=True)
class Progress:
    """State of one (student, item). Positions in content ms of `version`, times in server ms.

    `rev` grows with every visible change. `runs` are those that may still matter, by key; `head` and
    `loser` are keys of them, `rule` is the rule that decided. `content_ms` and `wall` are of all epochs,
    `quarters` is content by the quarter-hour (since 1970) in which it was played; `quiz` is the attempt, if
    the item is a quiz that was begun; `uncredited_ms` is content that was claimed faster than time
    allows (R9, W19); `folded` counts what has changed the row at rest;
    `lost` are revisions that died with their owners.
    """

    item: str
    version: str = ""
    rev: int = 0
    rule: str = ""
    content_ms: int = 0
    wall: Intervals = field(default_factory=Intervals)
    quarters: dict[int, int] = field(default_factory=dict)
    epochs: Epochs = field(default_factory=Epochs)
    runs: dict[Key, Run] = field(default_factory=dict)
    head_key: Key | None = None
    loser_key: Key | None = None
    quiz: Attempt | None = None
    uncredited_ms: int = 0
    folded: int = 0
    lost: tuple[Lost, ...] = ()

    @property
    def head(self) -> Run | None:
        """The run that has the head, and so the baton."""
        return self.runs[self.head_key] if self.head_key else None

    @property
    def position_ms(self) -> int:
        """The resume position; 0 if there is none."""
        return self.runs[self.head_key].position_ms if self.head_key else 0

    @property
    def epoch(self) -> int:
        """1 and one more for every reset and un-complete that stands."""
        return self.epochs.current.number

    @property
    def viewing(self) -> int:
        """The pass of the head's run, from 1."""
        head, folded = self.head, self.epochs.current.folded
        return folded + (head.viewing if head is not None and head.epoch == self.epoch else 1)

    @property
    def coverage(self) -> Intervals:
        """What has been covered in this epoch. Not to be changed."""
        return self.epochs.current.coverage

    @property
    def done(self) -> bool:
        """Whether a pass of this epoch has been completed (R7)."""
        return self.epochs.kept[-1].done

    @property
    def completions(self) -> list[int]:
        """When the passes of this epoch were completed, one each."""
        return self.epochs.current.completions_ms

    def playing_now(self, now_ms: int) -> bool:
        """Whether the head's device is playing, as far as the server knows."""
        head = self.head
        return head is not None and head.playing and now_ms - head.shown_ms < STALE_PLAY_MS

    def offered(self, duration_ms: int) -> Run | None:
        """The losing run whose place is the second resume candidate (R4)."""
        head, loser = self.head, self.runs.get(self.loser_key) if self.loser_key else None
        if head is None or loser is None:
            return None
        worth = contest.worth_offering(loser, head, self.runs.values(), self.epochs, duration_ms)
        return loser if worth else None

    def can_undo(self, device: str, seq: int, base_rev: int, rev_floor: int, now_ms: int) -> bool:
        """Whether an undo that the device's user asks for now would find a change to revert (R4)."""
        lost_rev, here_ms = self._lost_rev(base_rev, rev_floor), self.position_ms
        wish = Run(device, seq, "", "undone", base_rev, now_ms, here_ms, now_ms, lost_rev=lost_rev)
        return undoing.latest_known(wish, self.runs.values(), self.epochs) is not None

    def stop_playing(self, device: str, visit: Visit) -> bool:
        """The visit's player no longer plays (connection gone, stalled): True if the head showed it."""
        head, run = self.head, self.runs.get((device, visit.run))
        shown = head is not None and head.playing
        if run is not None:
            run.playing = False
        if head is not None and (head.device, head.session) == (device, visit.session):
            head.playing = False
        return shown and head is not None and not head.playing

    def fold(self, event: Event, when: When, visit: Visit, item: Item, device: str) -> bool:
        """Fold one event of a device; True if what devices see changed. Raises `Quarantined` (R9)."""
        event, rev, way = _within(event, item), max(self.rev + 1, when.rev_floor), None
        self._take_over(when.rev_floor)
        if event.version != item.version:
            way = item.way_from(event.version)
            if event.position_ms is not None:
                event = replace(event, position_ms=way.place(event.position_ms))
        fact = Fact(event, when, visit, item, device, rev, way)
        if event.kind in REGISTERS:
            return self._register(fact)
        before = self._visible()
        self.version, self.folded = item.version, self.folded + 1
        run = self._begin(fact) or self.runs.get((device, visit.run))
        if event.kind == "played" and run is not None:
            self._play(run, fact)
        elif event.kind == "opened":
            visit.stamp(event)
        elif event.kind in STOPS and run is not None:
            self._stop(run, fact)
        if run is not None and event.kind not in QUIET:
            self._settle(run, fact)
        return before != self._visible()

    def _take_over(self, rev_floor: int) -> None:
        """Another owner: what the one before told after its latest write may be lost (R8)."""
        if 0 < self.rev < rev_floor and (not self.lost or self.lost[-1].until_rev < rev_floor):
            self.lost = (*self.lost, Lost(self.rev, rev_floor))[-LOST_MAX:]

    def _lost_rev(self, base_rev: int, rev_floor: int) -> int:
        """Where telling anew began if a device had seen a revision that is lost; 0 if it is not."""
        if not self.lost and 0 < base_rev < rev_floor and (self.rev == 0 or self.rev >= rev_floor):
            return rev_floor
        return next((lost.until_rev for lost in self.lost if lost.holds(base_rev)), 0)

    def _register(self, fact: Fact) -> bool:
        """An answer, or the attempt is handed in; the head of the item's content is not concerned."""
        event, when = fact.event, fact.when
        attempt = self.quiz or Attempt()
        lost_rev = self._lost_rev(event.base_rev, when.rev_floor)
        by = Action(fact.device, event.seq, when.at_ms, event.base_rev, fact.rev, when.now_ms, lost_rev)
        if event.kind == "submitted":
            attempt.submit(by, when.sealed)
        else:
            assert event.question is not None and event.value is not None
            answer = Answer(event.value, by)
            refusal = attempt.refusal(event.question, answer)
            if refusal is not None:
                raise Quarantined(*refusal)
            attempt.answer(event.question, answer)
        self.quiz, self.rev = attempt, fact.rev
        self.version, self.folded = fact.item.version, self.folded + 1
        return True

    def _visible(self) -> tuple[int, int, bool]:
        head = self.head
        return self.rev, self.content_ms, head is not None and head.playing

    def _begin(self, fact: Fact) -> Run | None:
        """The run that the event begins, if it begins one."""
        event, visit = fact.event, fact.visit
        former = self.runs.get((fact.device, visit.run))
        kind = visit.run_kind(event)
        if not kind and (event.kind != "played" or former is not None):
            return None
        at_ms = fact.when.at_ms
        run = Run(
            device=fact.device,
            seq=event.seq,
            session=visit.session,
            kind=kind or AUTO,
            base_rev=event.base_rev,
            lost_rev=self._lost_rev(event.base_rev, fact.when.rev_floor),
            action_ms=fact.when.action_ms if kind == ADVANCE else at_ms,
            position_ms=self.position_ms if event.position_ms is None else event.position_ms,
            moved_ms=at_ms,
            shown_ms=at_ms,
            playing=event.kind == "play" or (former is not None and former.playing),
            rate=event.rate,
        )
        self.epochs.begin(run)
        if former is not None:
            self._leave(former, run)
        visit.run = event.seq
        self.runs[run.key] = run
        self._decree(run, fact)
        return run

    def _leave(self, former: Run, run: Run) -> None:
        """The run is over: its visit has begun another one.

        Until that is real, the head's own player that plays on from where it stood is shown as playing. A
        mark is no word about the player: it plays on, or stands, as it did (R7).
        """
        is_head = former.key == self.head_key
        if run.kind == "marked":
            former.playing = is_head and former.playing
        else:
            near = abs(run.position_ms - former.position_ms) <= JUMP_MS
            former.playing = is_head and near and run.kind == "play"
            former.shown_ms = run.shown_ms
        if not former.real and not former.log:
            del self.runs[former.key]

    def _decree(self, run: Run, fact: Fact) -> None:
        """What the user has decided about the item, besides the place."""
        if fact.event.kind == "chosen":
            fact.visit.intent = "resume"
        elif fact.event.kind == "reset":
            run.position_ms = 0
            self._turn(run, fact)
        elif fact.event.kind == "marked":
            self._mark(run, fact)
        elif fact.event.kind == "undone":
            self._undo(run, fact)

    def _play(self, run: Run, fact: Fact) -> None:
        event, at_ms = fact.event, fact.when.at_ms
        assert event.from_ms is not None and event.to_ms is not None
        length_ms, same_rate = event.to_ms - event.from_ms, run.rate == event.rate
        run.position_ms = event.to_ms if fact.way is None else fact.way.place(event.to_ms)
        run.moved_ms = run.shown_ms = at_ms
        run.rate, run.playing = event.rate, True
        credited = fact.visit.credits(event, length_ms)
        fact.visit.stamp(event)
        if not credited:
            self.uncredited_ms += length_ms
        if not credited or length_ms == 0:
            return
        fact.visit.played_ms += length_ms
        self.content_ms += length_ms
        start_ms = at_ms - round(length_ms / event.rate)
        self.wall.add(start_ms, at_ms, WALL_GAP_MS)
        late_ms = fact.when.now_ms if fact.when.now_ms - at_ms > LIVE_MS else 0
        stretch = Stretch(event.from_ms, event.to_ms, start_ms, at_ms, late_ms)
        self._date(stretch)
        for part in (stretch,) if fact.way is None else fact.way.stretches(stretch):
            append(run.log, part, same_rate)
            self._become_real(run, fact)
            self._cover(run, part, fact)

    def _cover(self, run: Run, part: Stretch, fact: Fact) -> None:
        """Count a stretch to its pass, which may latch by it, or open the next one (R7)."""
        now = Mark(fact.device, fact.event.seq, fact.rev, fact.when.at_ms)
        if self.epochs.play(run, part, self.runs.values(), fact.item.duration_ms, now):
            self.rev = fact.rev

    def _date(self, stretch: Stretch) -> None:
        """Count what was played to the calendar, whose days are the student's (R5)."""
        from_ms = stretch.from_ms
        for quarter in range(stretch.start_ms // QUARTER_MS, stretch.end_ms // QUARTER_MS + 1):
            to_ms = stretch.place_at((quarter + 1) * QUARTER_MS)
            if to_ms > from_ms:
                self.quarters[quarter] = self.quarters.get(quarter, 0) + to_ms - from_ms
            from_ms = to_ms

    def _stop(self, run: Run, fact: Fact) -> None:
        self.stop_playing(fact.device, fact.visit)
        if fact.event.kind != "ended" or not run.log:
            return
        end_ms = fact.item.durations_ms[fact.event.version]
        if fact.way is not None:
            end_ms = fact.way.place(end_ms)
        if end_ms - run.position_ms <= JUMP_MS:
            run.position_ms = end_ms

    def _settle(self, run: Run, fact: Fact) -> None:
        """Give the run its revision if it is real, and decide what follows: pass, completion, head."""
        self._become_real(run, fact)
        if run.real:
            run.last_rev = self.rev = fact.rev
        if fact.event.kind in DECREES or (run.real and self._may_change_hands(run)):
            self._decide()
        most, left = (ALONE_MAX, ALONE_LEFT) if fact.when.alone else (RUNS_MAX, RUNS_MAX)
        if len(self.runs) > most:
            self._let_go(left)

    def _may_change_hands(self, run: Run) -> bool:
        """Whether the head may be another one now that this run went on.

        The head's own play keeps it, unless it won a contest and has come to the next pass: what others
        had covered there is other content (R3).
        """
        contested = self.rule == "R3" and len(self.epochs.current.passes) > 1
        return contested or run.key != self.head_key

    def _become_real(self, run: Run, fact: Fact) -> None:
        if not run.real and fact.visit.makes_real(run):
            run.first_rev, run.seen_ms, run.real_ms = fact.rev, fact.when.now_ms, fact.when.at_ms

    def _decide(self) -> None:
        """Who has the head now (R2, R3, R10)."""
        self._stand_by_undone()
        decision = contest.decide(self.runs.values(), self.epochs)
        if decision is None:
            return
        self.head_key, self.rule = decision.head.key, decision.rule
        self.loser_key = decision.loser.key if decision.loser else None

    def _stand_by_undone(self) -> None:
        """An undo goes back to where a run stood at that time, even if that is heard later."""
        for run in self.runs.values():
            if run.kind == "undone" and run.moved_ms == run.action_ms:
                step = undoing.latest_known(run, self.runs.values(), self.epochs)
                if step is not None and step.place_ms is not None:
                    run.position_ms = step.place_ms

    def _turn(self, run: Run, fact: Fact) -> None:
        """Only a reset or an un-complete clears: epoch + 1 with empty coverage (R7)."""
        keeps = run.kind != "reset"
        self.epochs.turn(run, keeps, fact.rev, self.runs.values(), fact.item.duration_ms)
        self.rev = fact.rev

    def _mark(self, run: Run, fact: Fact) -> None:
        """The user ticks done, which completes the pass, or takes it back, which keeps the place (R7)."""
        runs, duration_ms = self.runs.values(), fact.item.duration_ms
        if not fact.event.done:
            if undoing.may_take_back(run, runs, self.epochs, duration_ms):
                self._turn(run, fact)
            return
        self.epochs.tick(run, fact.rev, runs, duration_ms)
        self.rev = fact.rev

    def _undo(self, run: Run, fact: Fact) -> None:
        """Revert the latest head change the user knew of: place, done, epoch; never time or coverage (R4)."""
        step = undoing.latest_known(run, self.runs.values(), self.epochs)
        if step is None or step.place_ms is None:
            run.kind = "marked"
        else:
            run.position_ms = step.place_ms
        if step is not None and step.what != changes.PLACE:
            self.epochs.take_back(step.mark, run, fact.rev, self.runs.values(), fact.item.duration_ms)
            self.rev = fact.rev

    def _let_go(self, left: int) -> None:
        """Keep so many runs; of the oldest only what they covered: those that lost for good before others."""
        needed = {self.head_key, self.loser_key}
        spare = [run for run in self.runs.values() if run.key not in needed]
        real = [run for run in spare if run.real]
        spare.sort(key=lambda run: (any(later.knows(run) for later in real) is False, run.moved_ms))
        for run in spare[: len(self.runs) - left]:
            self.epochs.let_go(run, run.log)
            del self.runs[run.key]


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
