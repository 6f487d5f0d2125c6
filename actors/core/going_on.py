"""The play that only goes on: what most updates say, folded in place.

A player that has the head says every few seconds that it has gone on from where it stood. That changes
neither who has the head nor what is complete, so nothing is decided and nothing compared: a stretch, a
coverage and some numbers become larger. Anything else is left to `Progress.fold`, which is what says what is
right: for these beats both come to the same state, to the last field.
"""

from typing import TYPE_CHECKING

from actors.core.events import Event
from actors.core.item import Item
from actors.core.progress import QUARTER_MS, RUNS_MAX, WALL_GAP_MS, Progress
from actors.core.run import Run
from actors.core.stretch import BREAK_MS, LIVE_MS, Stretch
from actors.core.visit import CREDIT_SLACK_MS

if TYPE_CHECKING:
    from actors.core.session import Device


def go_on(
    progress: Progress, event: Event, item: Item, device: "Device", now_ms: int, rev_floor: int
) -> bool:
    """Fold an event that only goes on with the play that has the head; of another nothing, and False.

    It is the device's next entry, in an item that its student may see. `now_ms` is server time.
    """
    visit, head_key = device.visits.get(event.session), progress.head_key
    from_ms, to_ms, rate = event.from_ms, event.to_ms, event.rate
    if visit is None or head_key is None or event.kind != "played" or from_ms is None or to_ms is None:
        return False
    if visit.run != head_key[1] or device.id != head_key[0] or visit.item != event.item:
        return False  # another run's: it may take the head, or lose (R2, R3, R10)
    if not _undisputed(progress, rev_floor) or not _in_version(event, to_ms, progress, item):
        return False
    length_ms, credit_ms = to_ms - from_ms, visit.slack_ms + round((event.mono_ms - visit.mono_ms) * rate)
    if not 0 < length_ms <= credit_ms or event.boot != visit.boot:
        return False  # it claims more than time allows (R9), or nothing
    wall_ms = round(event.wall.timestamp() * 1000)
    at_ms = device.clock.corrected_ms(event.boot, event.mono_ms, wall_ms, now_ms)
    start_ms, run = at_ms - round(length_ms / rate), progress.runs[head_key]
    if now_ms - at_ms > LIVE_MS or not _lengthens(run, from_ms, rate, start_ms, at_ms):
        return False
    coverage = progress.epochs.covered_only(
        run, start_ms, length_ms, progress.runs.values(), item.duration_ms
    )
    if coverage is None:
        return False  # a pass may be complete by it, or begin (R7)
    device.clock.check(wall_ms, at_ms, now_ms)
    coverage.add(from_ms, to_ms)
    progress.wall.add(start_ms, at_ms, WALL_GAP_MS)
    _move(progress, run, length_ms, to_ms, at_ms)
    visit.mono_ms, visit.slack_ms = event.mono_ms, min(CREDIT_SLACK_MS, credit_ms - length_ms)
    visit.played_ms += length_ms
    device.keep(visit, closed=False)
    return True


def _undisputed(progress: Progress, rev_floor: int) -> bool:
    """Whether the head stays where it is, and nothing else waits for a beat to be done.

    A place that is offered may cease to be, or come to be, as the head goes on (R4). One that won a contest
    may lose it in another pass (R3). The first event under another owner notes what may be lost (R8).
    """
    return (
        progress.loser_key is None
        and progress.rule != "R3"
        and progress.rev >= rev_floor
        and len(progress.runs) <= RUNS_MAX
    )


def _in_version(event: Event, to_ms: int, progress: Progress, item: Item) -> bool:
    """Whether the span needs neither be carried to the current version nor clipped (R9)."""
    version = item.version
    return (
        event.version == version
        and progress.version == version
        and to_ms <= item.duration_ms
        and event.position_ms is None
    )


def _lengthens(run: Run, from_ms: int, rate: float, start_ms: int, end_ms: int) -> bool:
    """Whether it goes on with the latest stretch, heard live as this is, and in one quarter of an hour."""
    last = run.log[-1] if run.log else None
    return (
        last is not None
        and run.rate == rate
        and last.to_ms == from_ms
        and not last.late_ms
        and -BREAK_MS <= start_ms - last.end_ms <= BREAK_MS
        and start_ms // QUARTER_MS == end_ms // QUARTER_MS
    )


def _move(progress: Progress, run: Run, length_ms: int, to_ms: int, at_ms: int) -> None:
    """The head goes on to a place, under the next revision, and its latest stretch with it."""
    last, quarter = run.log[-1], at_ms // QUARTER_MS
    run.log[-1] = Stretch(last.from_ms, to_ms, last.start_ms, max(last.end_ms, at_ms))
    run.position_ms, run.playing = to_ms, True
    run.moved_ms = run.shown_ms = at_ms
    progress.quarters[quarter] = progress.quarters.get(quarter, 0) + length_ms
    progress.content_ms += length_ms
    progress.folded += 1
    run.last_rev = progress.rev = progress.rev + 1
