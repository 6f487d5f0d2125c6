"""A student's live session: devices, their journals in order (R6), and what each batch of entries changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from actors.core import history
from actors.core.carrying import carry
from actors.core.clock import DeviceClock
from actors.core.events import FLUSHED, REGISTERS, Entry, Event, Refused
from actors.core.going_on import go_on
from actors.core.history import HeadChange
from actors.core.item import Item
from actors.core.progress import QUIET, Progress, Quarantined, When
from actors.core.run import Key
from actors.core.visit import Visit

HELD_MAX = 512
"""Entries kept per device while they wait for an earlier one (protocol P22)."""

GAP_MS = 5_000
"""How long a gap may stay open before the device is asked to start over (protocol P22)."""

VISITS_MAX = 8
"""Open visits kept per device: tabs and sessions that ended without a goodbye."""

REV_SHIFT = 20
"""A revision is at least `slot epoch << 20`: revisions lost with a dead owner are never given out again."""


@dataclass(slots=True)
class Device:
    """One device of the student. `applied_seq` and `durable_seq` are contiguous watermarks of its journal.

    `action_ms` is when its user last acted, in any item: what an automatic advance continues (R10).
    """

    id: str
    kind: str = "web"
    name: str = ""
    applied_seq: int = 0
    durable_seq: int = 0
    clock: DeviceClock = field(default_factory=DeviceClock)
    action_ms: int = 0
    held: dict[int, Entry] = field(default_factory=dict)
    gap_since_ms: int = 0
    visits: dict[str, Visit] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.kind

    def gap_expired(self, now_ms: int) -> bool:
        """Whether an earlier entry has been missing for too long, or too many wait for it."""
        waiting = bool(self.held)
        return waiting and (len(self.held) >= HELD_MAX or now_ms - self.gap_since_ms > GAP_MS)

    def forget_held(self) -> None:
        """Entries that wait for an earlier one are let go: the device sends them again (P22)."""
        self.held.clear()
        self.gap_since_ms = 0

    def keep(self, visit: Visit, closed: bool) -> None:
        """Remember an open visit as the latest; of too many the one longest without an event is forgotten."""
        if not closed and next(reversed(self.visits.values()), None) is visit:
            return  # as most often: it is the latest already
        self.visits.pop(visit.session, None)
        if not closed:
            self.visits[visit.session] = visit
        while len(self.visits) > VISITS_MAX:
            del self.visits[next(iter(self.visits))]

    def next_held(self) -> Entry | None:
        """The entry whose turn it is, if it is here; it is held no longer."""
        return self.held.pop(self.applied_seq + 1, None) if self.held else None

    def hold(self, entry: Entry) -> None:
        """Keep an entry until it is its turn. What does not fit has to be sent again: the gap expires."""
        ahead = entry.seq > self.applied_seq + 1
        if entry.seq > self.applied_seq and not (ahead and len(self.held) >= HELD_MAX):
            self.held.setdefault(entry.seq, entry)


@dataclass(slots=True)
class Folded:
    """What a batch of entries did: refusals `(seq, code, message)`, items whose head changed, what to flush.

    `gap_from` is the first missing seq if a gap has just opened, else 0.
    """

    refused: list[tuple[int, str, str]] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    urgent: bool = False
    gap_from: int = 0


@dataclass(slots=True)
class Session:
    """The live state of one student: the only writer of it while its slot's epoch lasts.

    `head_changes` wait for the next checkpoint; `changes_dropped` counts those that were too many.
    """

    student: str
    rev_floor: int
    enrolled: frozenset[str] = frozenset()
    devices: dict[str, Device] = field(default_factory=dict)
    items: dict[str, Progress] = field(default_factory=dict)
    dirty_items: tuple[str, ...] = ()
    dirty_devices: tuple[str, ...] = ()
    head_changes: Sequence[HeadChange] = ()
    changes_dropped: int = 0

    @property
    def dirty(self) -> bool:
        """Whether anything has changed since the latest snapshot for a checkpoint."""
        return bool(self.dirty_items or self.dirty_devices)

    @property
    def slot_epoch(self) -> int:
        """The epoch of the slot under which this session was loaded."""
        return self.rev_floor >> REV_SHIFT

    def device(self, device_id: str) -> Device:
        """The device of that id, known from now on."""
        found = self.devices.get(device_id)
        if found is None:
            found = self.devices[device_id] = Device(device_id)
        return found

    def progress_of(self, item: Item, now_ms: int) -> Progress | None:
        """The progress in an item, in its current version (R9); None if it was not begun."""
        progress = self.items.get(item.id)
        if progress is not None and progress.version != item.version:
            former_ms = progress.position_ms
            carry(progress, item, self.rev_floor)
            self.touch_item(item.id)
            self.note([history.carried(progress, former_ms, now_ms)])
        return progress

    def touch_item(self, item_id: str) -> None:
        """The item's row is to be written."""
        if item_id not in self.dirty_items:
            self.dirty_items = (*self.dirty_items, item_id)

    def touch_device(self, device_id: str) -> None:
        """The device's row is to be written."""
        if device_id not in self.dirty_devices:
            self.dirty_devices = (*self.dirty_devices, device_id)

    def note(self, changes: Iterable[HeadChange]) -> None:
        """Keep head changes, in order, until they are written."""
        self.head_changes, dropped = history.waiting([*self.head_changes, *changes])
        self.changes_dropped += dropped

    def apply(
        self, device_id: str, entries: Iterable[Entry], catalogue: Mapping[str, Item], now_ms: int
    ) -> Folded:
        """Fold journal entries of a device, each once and in order whatever their order of arrival (R5, R6).

        `catalogue` holds every item the entries name that exists.
        """
        device, folded = self.device(device_id), Folded()
        heads: dict[str, tuple[Key | None, Key | None]] = {}
        for entry in entries:
            if device.held or entry.seq != device.applied_seq + 1:
                device.hold(entry)
                following = device.next_held()
            elif isinstance(entry, Event) and self._goes_on(device, entry, catalogue, now_ms):
                folded.changed.add(entry.item)
                continue
            else:
                following = entry
            while following is not None:
                device.applied_seq += 1
                item = catalogue.get(following.item) if isinstance(following, Event) else None
                if item is not None and item.id not in heads:
                    heads[item.id] = self._head_and_offer(item)
                self.touch_device(device_id)
                self._fold(device, following, catalogue, now_ms, folded)
                following = device.next_held()
        for item_id, before in heads.items():
            self._note_offer(catalogue[item_id], before, now_ms)
        if not device.held:
            device.gap_since_ms = 0
        elif not device.gap_since_ms:
            device.gap_since_ms = now_ms
            folded.gap_from = device.applied_seq + 1
        return folded

    def _goes_on(self, device: Device, event: Event, catalogue: Mapping[str, Item], now_ms: int) -> bool:
        """Fold an event that is plain play, as most are; of another nothing, and False."""
        progress, item = self.items.get(event.item), catalogue.get(event.item)
        if progress is None or item is None or item.course not in self.enrolled or not item.published:
            return False
        if not go_on(progress, event, item, device, now_ms, self.rev_floor):
            return False
        device.applied_seq = event.seq
        self.touch_device(device.id)
        self.touch_item(item.id)
        return True

    def _head_and_offer(self, item: Item) -> tuple[Key | None, Key | None]:
        progress = self.items.get(item.id)
        if progress is None or progress.loser_key is None:
            return progress.head_key if progress else None, None
        loser = progress.offered(item.duration_ms)
        return progress.head_key, loser.key if loser else None

    def _note_offer(self, item: Item, before: tuple[Key | None, Key | None], now_ms: int) -> None:
        """A journal that came home late and lost leaves a line too: its place is offered from now on (R4)."""
        head_key, offer_key = self._head_and_offer(item)
        if offer_key is not None and head_key == before[0] and offer_key != before[1]:
            progress = self.items[item.id]
            self.note([history.offered(progress.runs[offer_key], now_ms, progress)])

    def leave(self, device_id: str, now_ms: int) -> set[str]:
        """The device's connection is gone: the items whose head now shows that nobody plays."""
        device = self.devices.get(device_id)
        if device is None:
            return set()
        device.clock.last_contact_ms = now_ms
        self.touch_device(device_id)
        return {visit.item for visit in device.visits.values() if self._stop(device, visit)}

    def stall(self, device_id: str, item: str) -> bool:
        """The device's player of this item is alive and not playing: True if the head showed it playing."""
        device = self.devices.get(device_id)
        if device is None:
            return False
        stopped = [self._stop(device, visit) for visit in device.visits.values() if visit.item == item]
        return any(stopped)

    def _stop(self, device: Device, visit: Visit) -> bool:
        progress = self.items.get(visit.item)
        return progress is not None and progress.stop_playing(device.id, visit)

    def _fold(
        self, device: Device, entry: Entry, catalogue: Mapping[str, Item], now_ms: int, folded: Folded
    ) -> None:
        if isinstance(entry, Refused):
            folded.refused.append((entry.seq, entry.code, entry.message))
            return
        refusal = self._refusal(entry, catalogue)
        if refusal is None:
            try:
                self._fold_event(device, entry, catalogue[entry.item], now_ms, folded)
            except Quarantined as error:
                refusal = (error.code, str(error))
        if refusal is not None:
            folded.refused.append((entry.seq, *refusal))

    def _refusal(self, event: Event, catalogue: Mapping[str, Item]) -> tuple[str, str] | None:
        item = catalogue.get(event.item)
        if item is None:
            return "unknown_item", f"there is no item {event.item}"
        if item.course not in self.enrolled:
            return "not_enrolled", f"not enrolled in the course of {event.item}"
        if not item.published:
            return "unpublished", f"the course of {event.item} is not published"
        return None

    def _sealed(self, event: Event, progress: Progress) -> bool:
        """Whether an attempt that the event hands in once more was durably handed in before."""
        if event.kind != "submitted" or progress.quiz is None or progress.quiz.submission is None:
            return False
        first = progress.quiz.submission
        device = self.devices.get(first.device)
        return device is None or device.durable_seq >= first.seq

    def _fold_event(self, device: Device, event: Event, item: Item, now_ms: int, folded: Folded) -> None:
        known = progress = self.items.get(event.item)
        if progress is None:
            progress = Progress(item.id, item.version)
        elif progress.version != item.version:
            self.progress_of(item, now_ms)
            folded.changed.add(event.item)
        wall_ms = round(event.wall.timestamp() * 1000)
        at_ms = device.clock.corrected_ms(event.boot, event.mono_ms, wall_ms, now_ms)
        device.clock.check(wall_ms, at_ms, now_ms)
        when = When(
            at_ms,
            now_ms,
            self.rev_floor,
            device.action_ms or at_ms,
            self._sealed(event, progress),
            alone=len(self.devices) == 1,
        )
        visit = device.visits.get(event.session)
        if visit is None or visit.item != event.item:
            visit = Visit(event.session, item.id, event.intent)
        before, former = history.standing(progress), progress.head
        if progress.fold(event, when, visit, item, device.id):
            folded.changed.add(event.item)
        after = history.standing(progress)
        if after != before:
            self.note(history.changes_by(event, (device.id, visit.run), now_ms, before, former, progress))
        if event.kind not in QUIET or (known is not None and event.kind != "opened"):
            self.items[item.id] = progress
            self.touch_item(item.id)
        folded.urgent = folded.urgent or after[1] > before[1] or event.kind in FLUSHED
        if event.starts_run or event.kind in REGISTERS:
            device.action_ms = at_ms
        device.keep(visit, event.kind == "closed")
