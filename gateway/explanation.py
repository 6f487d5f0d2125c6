"""Why a student's position is what it is, read at rest: it works with half of the system down.

What is live is at most one checkpoint ahead of it; `as_of` says when the latest one was.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from actors.at_rest import items_from, session_from
from actors.core import explanation
from actors.core.events import WALL_END, WALL_MIN
from actors.core.explanation import Explanation
from actors.core.item import Item
from actors.core.progress import Progress
from actors.core.session import Session
from persistence import changes, progress, sessions
from persistence.changes import HeadChange
from persistence.errors import PlayheadError
from persistence.postgres import Postgres
from persistence.progress import Then

SHOWN = 8
"""Latest changes shown with an explanation."""

PAGE_MAX = 100

TOGETHER_MAX = 5
"""Changes of one revision: at most one of each kind, `place`, `done`, `epoch`, `version` and `offer`."""


NOT_WRITTEN = "What changed the place is not written down."
"""Of the time before head changes were kept."""


class BadMoment(PlayheadError):
    """A time or a zone that cannot be understood; the message says what to send."""


class ExplainedRun(msgspec.Struct, frozen=True):
    """A run that competes, or did. `verdict` is `head`, `lost`, `stood_back`, `succeeded`, `played_on`,
    `before_reset`, `not_real`, `peek` or `automatic`; positions are content ms."""

    device: str
    device_name: str
    device_kind: str
    kind: str
    action_at: datetime
    base_rev: int
    from_ms: int
    position_ms: int
    verdict: str
    sentence: str


class ExplainedChange(msgspec.Struct, frozen=True):
    """One change of the head: `what` is `place`, `done`, `epoch` or `version`. Or an `offer`: the place in
    `position_ms` came to be offered and the head stayed; an undo has nothing to do with it."""

    at: datetime
    rev: int
    what: str
    rule: str
    device: str
    device_name: str
    device_kind: str
    position_ms: int
    former_ms: int | None
    done: bool
    epoch: int
    viewing: int = msgspec.field(name="pass")
    version: str
    sentence: str


class ExplainedOffer(msgspec.Struct, frozen=True):
    """The second resume place (R4)."""

    position_ms: int
    device: str
    device_name: str
    at: datetime


class Explained(msgspec.Struct, frozen=True):
    """Why the position is what it is, or was at a moment. `coverage` is what of the current epoch was seen,
    in spans of content ms; of the past neither it nor the offer is kept. `earlier` counts the runs that are
    left out because nothing depends on them any more."""

    item: str
    version: str
    position_ms: int
    duration_ms: int
    done: bool
    viewing: int = msgspec.field(name="pass")
    epoch: int
    rule: str
    sentence: str
    runs: list[ExplainedRun]
    earlier: int
    changes: list[ExplainedChange]
    coverage: list[tuple[int, int]]
    candidate: ExplainedOffer | None
    as_of: datetime | None


class History(msgspec.Struct, frozen=True):
    """A page of changes, newest first; `next` is the `before` of the page after, null on the last one."""

    item: str
    changes: list[ExplainedChange]
    next: int | None


def moment(text: str) -> datetime | None:
    """A time as people and programs write it, None for "". Raises `BadMoment`: without a zone it is none."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadMoment("at: send an instant with its zone, such as 2026-03-02T19:00:00Z")
    if not WALL_MIN <= found < WALL_END:
        raise BadMoment("at: lies outside the years that can be told")
    return found.astimezone(UTC)


def zone_of(name: str) -> tzinfo:
    """A zone by its name in the IANA database. Raises `BadMoment`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadMoment("zone: send the name of a time zone, such as Europe/Vienna or UTC") from None


async def explain(
    postgres: Postgres,
    student: str,
    item_id: str,
    at: datetime | None = None,
    zone: tzinfo = UTC,
    every_run: bool = False,
) -> Explained | None:
    """Why the student's position in the item is what it is, or was `at` then; None without such an item.

    `runs` are those that matter now, unless `every_run` is wanted.
    """
    item = items_from(await sessions.load_items(postgres, [item_id])).get(item_id)
    if item is None:
        return None
    latest = await changes.of_item(postgres, student, item_id, None, SHOWN, at)
    stored = (await sessions.load(postgres, [student]))[student]
    session = session_from(student, stored, 0)
    kinds = {device.id: device.kind for device in session.devices.values()}
    if at is not None:
        stood = await progress.then(postgres, student, item_id, at)
        return _past(item, latest, stood, kinds, at, zone)
    row = await progress.of_item(postgres, student, item_id)
    as_of = row.updated_at if row else None
    return _present(session, item, latest, kinds, as_of, zone, every_run)


async def history(
    postgres: Postgres, student: str, item_id: str, before: int | None, limit: int, zone: tzinfo = UTC
) -> History:
    """A page of the changes of the head below revision `before`; `limit` is clamped to 1 to 100.

    Changes of one revision stay together, so a page may be a little longer.
    """
    wanted = max(1, min(limit, PAGE_MAX))
    found = await changes.of_item(postgres, student, item_id, before, wanted + TOGETHER_MAX)
    cut = wanted
    while 0 < cut < len(found) and found[cut].rev == found[cut - 1].rev:
        cut += 1
    page = found[:cut]
    return History(item_id, _lines(page, zone), page[-1].rev if cut < len(found) else None)


def _present(
    session: Session,
    item: Item,
    latest: list[HeadChange],
    kinds: Mapping[str, str],
    as_of: datetime | None,
    zone: tzinfo,
    every_run: bool,
) -> Explained:
    begun = session.progress_of(item, 0) or Progress(item.id, item.version)
    names = {device.id: device.title for device in session.devices.values()}
    visits = {
        (device.id, visit.session): visit
        for device in session.devices.values()
        for visit in device.visits.values()
    }
    told = explanation.explain(begun, item.duration_ms, names, visits, zone, every_run)
    offered = begun.offered(item.duration_ms)
    candidate = None
    if offered is not None:
        name = names.get(offered.device, offered.device)
        candidate = ExplainedOffer(offered.position_ms, offered.device, name, _instant(offered.moved_ms))
    return Explained(
        item=item.id,
        version=item.version,
        position_ms=min(begun.position_ms, item.duration_ms),
        duration_ms=item.duration_ms,
        done=begun.done,
        viewing=begun.viewing,
        epoch=begun.epoch,
        rule=told.rule,
        sentence=told.sentence,
        runs=_runs(told, kinds),
        earlier=told.earlier,
        changes=_lines(latest, zone),
        coverage=list(begun.coverage),
        candidate=candidate,
        as_of=as_of,
    )


def _past(
    item: Item,
    latest: list[HeadChange],
    stood: Then | None,
    kinds: Mapping[str, str],
    at: datetime,
    zone: tzinfo,
) -> Explained:
    """Plain play is no change of the head: how far it had come by then, only the checkpoints know."""
    told, newest = explanation.explain_past(latest, zone), latest[0] if latest else None
    last = next((change for change in latest if change.what != "offer"), None)
    version = newest.version if newest else item.version
    position_ms, sentence = last.position_ms if last else 0, told.sentence
    if stood is not None and (last is None or stood.rev > last.rev) and stood.position_ms != position_ms:
        position_ms = stood.position_ms
        sentence = (
            f"{sentence if last else NOT_WRITTEN} By then it had come to {explanation.place(position_ms)}."
        )
    return Explained(
        item=item.id,
        version=version,
        position_ms=position_ms,
        duration_ms=item.durations_ms.get(version, item.duration_ms),
        done=newest.done if newest else False,
        viewing=newest.viewing if newest else 1,
        epoch=newest.epoch if newest else 1,
        rule=told.rule,
        sentence=sentence,
        runs=_runs(told, kinds),
        earlier=0,
        changes=_lines(latest, zone),
        coverage=[],
        candidate=None,
        as_of=at,
    )


def _runs(told: Explanation, kinds: Mapping[str, str]) -> list[ExplainedRun]:
    return [
        ExplainedRun(
            device=finding.run.device,
            device_name=finding.run.device_name,
            device_kind=finding.run.device_kind or kinds.get(finding.run.device, ""),
            kind=finding.run.kind,
            action_at=_instant(finding.run.action_ms),
            base_rev=finding.run.base_rev,
            from_ms=finding.run.from_ms,
            position_ms=finding.run.position_ms,
            verdict=finding.verdict,
            sentence=finding.sentence,
        )
        for finding in told.findings
    ]


def _lines(rows: Iterable[HeadChange], zone: tzinfo) -> list[ExplainedChange]:
    return [_line(row, zone) for row in rows]


def _line(row: HeadChange, zone: tzinfo) -> ExplainedChange:
    run = explanation.run_of_device(row)
    return ExplainedChange(
        at=row.at,
        rev=row.rev,
        what=row.what,
        rule=row.rule,
        device=row.device,
        device_name=run.device_name if run else row.device,
        device_kind=run.device_kind if run else "",
        position_ms=row.position_ms,
        former_ms=row.former_ms,
        done=row.done,
        epoch=row.epoch,
        viewing=row.viewing,
        version=row.version,
        sentence=explanation.change_sentence(row, zone),
    )


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
