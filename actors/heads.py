"""What devices are told of a head: the message for one student and item, and its one encoding."""

from itertools import chain

import msgspec

from actors.core.item import Item
from actors.core.progress import STALE_PLAY_MS, Progress
from actors.core.quizzes import Attempt
from actors.core.run import Run
from actors.core.session import Session
from actors.messages import Candidate, Head, Quiz, ToDevice

_encoder = msgspec.msgpack.Encoder()


def encode(message: ToDevice) -> bytes:
    """The bytes of a message in `playhead.v1`, the same for every connection."""
    return _encoder.encode(message)


def head_of(session: Session, item: Item, now_ms: int) -> Head:
    """The head of an item as of now; `rev` 0 and position 0 if the student has not begun it (P11).

    Made for nearly every update, so it looks each thing up once.
    """
    progress = session.progress_of(item, now_ms) or Progress(item.id)
    run, epoch = progress.head, progress.epochs.current
    coverage, duration_ms = epoch.coverage, item.duration_ms
    device = session.devices.get(run.device) if run is not None else None
    offered = progress.offered(duration_ms) if progress.loser_key is not None else None
    return Head(
        item=item.id,
        version=item.version,
        rev=progress.rev,
        position_ms=min(run.position_ms, duration_ms) if run is not None else 0,
        duration_ms=duration_ms,
        playing=run is not None and run.playing and now_ms - run.shown_ms < STALE_PLAY_MS,
        rate=run.rate if run is not None else 1.0,
        as_of_ms=run.shown_ms if run is not None else now_ms,
        device=run.device if run is not None else "",
        device_name=device.title if device is not None else "",
        device_kind=device.kind if device is not None else "",
        rule=progress.rule,
        viewing=epoch.folded + (run.viewing if run is not None and run.epoch == epoch.number else 1),
        epoch=epoch.number,
        done=progress.done,
        coverage_ms=coverage.length(),
        furthest_ms=coverage.end(),
        content_ms=progress.content_ms,
        candidate=_candidate(session, offered),
        quiz=_quiz(progress.quiz),
        next_item=next_item(session, item),
    )


def next_item(session: Session, item: Item) -> str | None:
    """What to go on with: the next item of the course that is not done, else the first; never this one."""
    syllabus, place, items = item.syllabus, item.place, session.items
    for n in chain(range(place + 1, len(syllabus)), range(place)):
        progress = items.get(syllabus[n])
        if progress is None or not progress.done:
            return syllabus[n]
    return None


def _candidate(session: Session, run: Run | None) -> Candidate | None:
    if run is None:
        return None
    device = session.devices.get(run.device)
    return Candidate(run.position_ms, run.device, device.title if device else "", run.moved_ms)


def _quiz(attempt: Attempt | None) -> Quiz | None:
    return Quiz(attempt.standing, attempt.submission is not None) if attempt else None
