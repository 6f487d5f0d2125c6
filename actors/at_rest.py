"""A session as rows and rows as a session: the one place where live state meets its columns."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import Any

from actors.core.editions import edition
from actors.core.history import HeadChange, RunThen
from actors.core.intervals import Intervals
from actors.core.item import Item
from actors.core.progress import Progress
from actors.core.session import REV_SHIFT, Device, Session
from actors.core.state import merge_state, restore_merge, restore_visits, visits_state
from persistence.changes import HeadChange as ChangeRow
from persistence.checkpoints import DeviceRow, ProgressRow, pack
from persistence.sessions import StoredItem, StoredSession


def session_from(student: str, stored: StoredSession, slot_epoch: int) -> Session:
    """The live session of a student as of its latest checkpoint, under this epoch of its slot."""
    session = Session(student, slot_epoch << REV_SHIFT, enrolled_in(stored.courses))
    for row in stored.progress:
        session.items[intern(row.item)] = _progress_from(row)
    for device_row in stored.devices:
        device = session.device(intern(device_row.device))
        device.applied_seq = device.durable_seq = device_row.durable_seq
        restore_visits(device, device_row.visit)
    return session


def enrolled_in(courses: Iterable[str]) -> frozenset[str]:
    """These courses, as one set for all students who are in the same."""
    return _shared(frozenset(courses))


@lru_cache(maxsize=10_000)
def _shared(courses: frozenset[str]) -> frozenset[str]:
    return courses


def progress_row(student: str, progress: Progress, item: Item) -> ProgressRow:
    """The row of one item, as it stands now."""
    return _progress_row(student, progress, item, merge_state(progress), b"")


def packed_progress_row(student: str, progress: Progress, item: Item) -> ProgressRow:
    """The same as Postgres gets it: what has no column is bytes already, so that rows on their way are no
    thousands of objects for the garbage collector to look through."""
    return _progress_row(student, progress, item, {}, pack(merge_state(progress)))


def _progress_row(
    student: str, progress: Progress, item: Item, merge: dict[str, Any], packed: bytes
) -> ProgressRow:
    head, epoch = progress.head, progress.epochs.current
    coverage = epoch.coverage
    completions_ms = epoch.completions_ms
    in_epoch = head is not None and head.epoch == epoch.number
    return ProgressRow(
        student=student,
        item=progress.item,
        course=item.course,
        version=progress.version,
        rev=progress.rev,
        epoch=epoch.number,
        viewing=epoch.folded + (head.viewing if head is not None and in_epoch else 1),
        position_ms=head.position_ms if head else 0,
        device=head.device if head else "",
        action_ms=head.action_ms if head else 0,
        rule=progress.rule,
        done=progress.done,
        completions_ms=completions_ms,
        coverage=coverage.spans(),
        furthest_ms=coverage.end(),
        content_ms=progress.content_ms,
        wall=progress.wall.spans(),
        merge=merge,
        folded=progress.folded,
        packed=packed,
    )


def device_row(student: str, device: Device) -> DeviceRow:
    """The row of one device: everything applied so far is in the progress rows written with it."""
    return DeviceRow(student, device.id, device.applied_seq, visits_state(device))


def packed_device_row(student: str, device: Device) -> DeviceRow:
    """The same as Postgres gets it, see `packed_progress_row`."""
    return DeviceRow(student, device.id, device.applied_seq, {}, pack(visits_state(device)))


def change_row(session: Session, change: HeadChange) -> ChangeRow:
    """The row of one head change, with the names its devices have now."""

    def told(run: RunThen | None) -> dict[str, Any] | None:
        if run is None:
            return None
        device = session.devices.get(run.device)
        name, kind = (device.title, device.kind) if device else (run.device, "")
        return {**run._asdict(), "device_name": name, "device_kind": kind}

    return ChangeRow(
        at=datetime.fromtimestamp(change.at_ms / 1000, UTC),
        student=session.student,
        item=change.item,
        rev=change.rev,
        what=change.what,
        rule=change.rule,
        device=change.device,
        position_ms=change.position_ms,
        former_ms=change.former_ms,
        done=change.done,
        epoch=change.epoch,
        viewing=change.viewing,
        version=change.version,
        why={
            "head": told(change.head),
            "former": told(change.former),
            "loser": told(change.loser),
            "by": told(change.by),
        },
    )


def items_from(stored: list[StoredItem]) -> Mapping[str, Item]:
    """The catalogue of the rules, by item id. Items of one course share its syllabus."""
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    found = {}
    for item in stored:
        syllabus = tuple(item.syllabus)
        found[item.id] = _item_from(item, shared.setdefault(syllabus, syllabus))
    return found


def _item_from(stored: StoredItem, syllabus: tuple[str, ...]) -> Item:
    return Item(
        id=stored.id,
        course=stored.course,
        version=stored.version,
        durations_ms=stored.durations_ms,
        published=stored.published,
        edits={version: edition(made["from"], made["edits"]) for version, made in stored.edits.items()},
        syllabus=syllabus,
    )


def _progress_from(row: ProgressRow) -> Progress:
    progress = Progress(
        item=intern(row.item),
        version=intern(row.version),
        rev=row.rev,
        rule=intern(row.rule),
        content_ms=row.content_ms,
        wall=Intervals(row.wall),
        folded=row.folded,
    )
    restore_merge(progress, row.merge)
    return progress
