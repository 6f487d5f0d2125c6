"""The parts of a session that have no typed column at rest, as plain JSON values, and back again.

`merge` belongs to a progress row: the runs that still compete. `visits` belongs to a device row. A visit
names its run by key; a run that no longer competes is kept inside its visit.
"""

from typing import Any

from actors.core.intervals import Intervals
from actors.core.progress import Change, Progress
from actors.core.run import Run
from actors.core.session import Device
from actors.core.visit import Visit

Json = dict[str, Any]

_RUN_FIELDS = (
    "device",
    "seq",
    "session",
    "kind",
    "base_rev",
    "action_ms",
    "epoch",
    "viewing",
    "position_ms",
    "moved_ms",
    "first_rev",
    "last_rev",
    "seen_ms",
    "replayed_ms",
    "playing",
    "rate",
)


def merge_state(progress: Progress) -> Json:
    """What the rules need of an item besides its typed columns."""
    return {
        "runs": [_run_state(run) for run in progress.runs],
        "head": progress.head.key if progress.head else None,
        "loser": progress.loser.key if progress.loser else None,
        "covered": list(progress.covered),
        "pass_coverage": list(progress.pass_coverage),
        "completed_rev": progress.completed_rev,
        "completed_by": progress.completed_by,
        "reset_rev": progress.reset_rev,
        "reset_ms": progress.reset_ms,
        "changes": [[change.position_ms, change.done] for change in progress.changes],
    }


def restore_merge(progress: Progress, state: Json) -> None:
    """Put what `merge_state` gave back into a progress made from its columns."""
    progress.runs = [_run_from(run) for run in state["runs"]]
    by_key = {run.key: run for run in progress.runs}
    progress.head = by_key.get(tuple(state["head"] or ()))
    progress.loser = by_key.get(tuple(state["loser"] or ()))
    progress.covered = _intervals(state["covered"])
    progress.pass_coverage = _intervals(state["pass_coverage"])
    progress.completed_rev = state["completed_rev"]
    progress.completed_by = (state["completed_by"][0], state["completed_by"][1])
    progress.reset_rev, progress.reset_ms = state["reset_rev"], state["reset_ms"]
    progress.changes = [Change(position_ms, done) for position_ms, done in state["changes"]]


def visits_state(device: Device, items: dict[str, Progress]) -> Json:
    """A device's open visits and what is known of its clock and name."""
    return {
        "kind": device.kind,
        "name": device.name,
        "last_contact_ms": device.clock.last_contact_ms,
        "visits": [_visit_state(visit, items) for visit in device.visits.values()],
    }


def restore_visits(device: Device, state: Json, items: dict[str, Progress]) -> None:
    """Put what `visits_state` gave back; runs that still compete are shared with their item."""
    device.kind, device.name = state["kind"], state["name"]
    device.clock.last_contact_ms = state["last_contact_ms"]
    for row in state["visits"]:
        visit = Visit(
            row["session"], row["item"], row["intent"], row["played_ms"], row["boot"], row["mono_ms"]
        )
        visit.run = _visit_run(row, items)
        device.visits[visit.session] = visit


def _visit_state(visit: Visit, items: dict[str, Progress]) -> Json:
    run = visit.run
    competes = run is not None and visit.item in items and any(r is run for r in items[visit.item].runs)
    return {
        "session": visit.session,
        "item": visit.item,
        "intent": visit.intent,
        "played_ms": visit.played_ms,
        "boot": visit.boot,
        "mono_ms": visit.mono_ms,
        "key": run.key if run else None,
        "run": None if run is None or competes else _run_state(run),
    }


def _visit_run(row: Json, items: dict[str, Progress]) -> Run | None:
    if row["key"] is None:
        return None
    if row["run"] is not None:
        return _run_from(row["run"])
    progress = items.get(row["item"])
    key = tuple(row["key"])
    return next((run for run in progress.runs if run.key == key), None) if progress else None


def _run_state(run: Run) -> Json:
    state: Json = {name: getattr(run, name) for name in _RUN_FIELDS}
    state["spans"] = list(run.spans)
    return state


def _run_from(state: Json) -> Run:
    return Run(**{name: state[name] for name in _RUN_FIELDS}, spans=_intervals(state["spans"]))


def _intervals(spans: list[list[int]]) -> Intervals:
    return Intervals((start, end) for start, end in spans)
