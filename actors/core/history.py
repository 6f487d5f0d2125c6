"""Head changes on their way to the time-series: what changed, by which rule, from what, and who lost (R4).

Written once with the next checkpoint and then forgotten here: an undo follows from the runs
(actors/core/undoing.py). Plain play makes none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from actors.core.changes import DONE, EPOCH, PLACE, moves
from actors.core.events import Event
from actors.core.progress import Progress
from actors.core.run import Key, Run

OFFER = "offer"
"""What is new: a losing run's place is offered, and the head stays (R4). No change of the head: an undo has
nothing to do with it."""

VERSION = "version"
"""What changed: the content; the place follows its edits (R9)."""

WAITING_MAX = 1000
"""Changes of one student kept until they are written: two full messages of a journal from off line. Of more,
the oldest changes of place, and offers, are dropped."""


class RunThen(NamedTuple):
    """A run as it stood at a change: where it began and where it was, in content ms; when its user acted."""

    device: str
    kind: str
    action_ms: int
    base_rev: int
    from_ms: int
    position_ms: int


@dataclass(frozen=True, slots=True)
class HeadChange:
    """One change of an item's head, done, epoch or version, and how things stood after it; or an offer.

    `at_ms` is when the server heard of it. `device` caused it; for a place it is the one that has the head,
    for an offer the one whose place is offered, which `position_ms` is then. `by` is the run that caused it.
    `former_ms` is the place before, None if there was none. One event makes at most one `epoch` or one
    `done`, and one `place` beside a `done`; what an `epoch` or a `version` does to the place is in it.
    """

    at_ms: int
    item: str
    rev: int
    what: str
    rule: str
    device: str
    position_ms: int
    former_ms: int | None
    done: bool
    epoch: int
    viewing: int
    version: str
    head: RunThen | None
    former: RunThen | None
    loser: RunThen | None
    by: RunThen | None = None


Standing = tuple[Key | None, int, int]
"""The key of the head, how many passes are completed, the epoch: what is worth a line when it changes."""


def standing(progress: Progress) -> Standing:
    """How the progress stands, to be compared after an event. Asked twice for each event, so it is cheap."""
    epoch = progress.epochs.kept[-1]
    completed = epoch.folded
    for viewing in epoch.passes:
        if viewing.completion is not None:
            completed += 1
    return progress.head_key, completed, epoch.number


def changes_by(
    event: Event, run: Key, at_ms: int, before: Standing, former: Run | None, progress: Progress
) -> list[HeadChange]:
    """What an event of that run has changed, given how things stood before and who had the head then."""
    by, device = progress.runs.get(run), run[0]
    head_key, completed, epoch = before
    head_key_now, completed_now, epoch_now = standing(progress)
    by_undo = event.kind == "undone"
    if epoch_now != epoch:
        return [_change(EPOCH, "R4" if by_undo else "R7", device, at_ms, former, progress, by)]
    found = []
    if completed_now != completed:
        found.append(_change(DONE, "R4" if by_undo else "R7", device, at_ms, former, progress, by))
    head = progress.head
    if head is not None and head_key_now != head_key and _moved(former, head):
        found.append(_change(PLACE, progress.rule, head.device, at_ms, former, progress, by))
    return found


def carried(progress: Progress, former_ms: int, at_ms: int) -> HeadChange:
    """The content was edited, and the progress has been carried from a place in its former version."""
    head = progress.head
    change = _change(VERSION, "R9", head.device if head else "", at_ms, None, progress)
    return replace(change, former_ms=former_ms if head else None)


def offered(loser: Run, at_ms: int, progress: Progress) -> HeadChange:
    """The place of a losing run has come to be offered, while the head stays where it is."""
    head = progress.head
    rule = "R10" if head is not None and head.knows(loser) else "R3"
    change = _change(OFFER, rule, loser.device, at_ms, None, progress, loser)
    return replace(change, position_ms=loser.position_ms, loser=_then(loser))


def waiting(changes: Iterable[HeadChange]) -> tuple[list[HeadChange], int]:
    """The changes that are kept until the next checkpoint, and how many were too many."""
    kept = list(changes)
    excess = len(kept) - WAITING_MAX
    for _ in range(excess):
        kept.pop(next((n for n, change in enumerate(kept) if change.what in (PLACE, OFFER)), 0))
    return kept, max(0, excess)


def _moved(former: Run | None, head: Run) -> bool:
    """Whether it is the first head, or another one than before."""
    return former is None or moves(head, former, former.position_ms)


def _change(
    what: str,
    rule: str,
    device: str,
    at_ms: int,
    former: Run | None,
    progress: Progress,
    by: Run | None = None,
) -> HeadChange:
    loser = progress.runs.get(progress.loser_key) if progress.loser_key else None
    return HeadChange(
        at_ms=at_ms,
        item=progress.item,
        rev=progress.rev,
        what=what,
        rule=rule,
        device=device,
        position_ms=progress.position_ms,
        former_ms=former.position_ms if former else None,
        done=progress.done,
        epoch=progress.epoch,
        viewing=progress.viewing,
        version=progress.version,
        head=_then(progress.head),
        former=_then(former),
        loser=_then(loser),
        by=_then(by),
    )


def _then(run: Run | None) -> RunThen | None:
    if run is None:
        return None
    return RunThen(run.device, run.kind, run.action_ms, run.base_rev, run.start_ms, run.position_ms)
