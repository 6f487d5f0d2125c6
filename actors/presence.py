"""Players that play where no head shows it: a hint for the student's other devices (protocol, `presence`).

It says "starts on the phone" at once, seconds before the play is real (R1) and the head moves.
"""

from collections.abc import Iterable, Mapping

from actors.core.events import Entry, Event
from actors.core.run import AUTO, Run
from actors.core.session import Session
from actors.messages import Playing

TURNS: frozenset[str] = frozenset({"play", "paused", "ended", "closed"})
"""Kinds by which a player starts or stops; beats are looked at only while a hint stands."""


def may_turn(entries: Iterable[Entry]) -> bool:
    """Whether a player may have started or stopped by these entries."""
    return any(isinstance(entry, Event) and entry.kind in TURNS for entry in entries)


def hints(session: Session, device_id: str, hinted: dict[str, str]) -> list[Playing]:
    """What the other devices have to hear now; `hinted` holds the item they were told of, by device."""
    told, run = hinted.pop(device_id, None), None
    found = _unseen(session, device_id)
    said: list[Playing] = []
    if found is not None:
        item, run = found
        hinted[device_id] = item
        if told != item:
            said.append(_hint(session, device_id, item, "playing", run.position_ms))
    if told is not None and (found is None or found[0] != told) and not _shown(session, device_id, told):
        said.insert(0, _hint(session, device_id, told, "stopped", _last_place(session, device_id, told)))
    return said


def _unseen(session: Session, device_id: str) -> tuple[str, Run] | None:
    """The item that the device's user plays without a head that shows it, and the run."""
    device = session.devices.get(device_id)
    for visit in reversed(list(device.visits.values())) if device else ():
        progress = session.items.get(visit.item)
        run = progress.runs.get((device_id, visit.run)) if progress else None
        if run is None or not run.playing or run.kind == AUTO:
            continue
        if not _shown(session, device_id, visit.item):
            return visit.item, run
    return None


def _shown(session: Session, device_id: str, item: str) -> bool:
    progress = session.items.get(item)
    head = progress.head if progress else None
    return head is not None and head.playing and head.device == device_id


def _last_place(session: Session, device_id: str, item: str) -> int:
    progress = session.items.get(item)
    runs: Mapping[tuple[str, int], Run] = progress.runs if progress else {}
    own = [run for run in runs.values() if run.device == device_id]
    return max(own, key=lambda run: run.seq).position_ms if own else 0


def _hint(session: Session, device_id: str, item: str, state: str, position_ms: int) -> Playing:
    device = session.device(device_id)
    return Playing(item, device_id, device.title, device.kind, state, position_ms)
