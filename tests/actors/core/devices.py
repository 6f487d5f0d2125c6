"""A student's devices in virtual time: what their users do becomes journals, and journals reach a session.

Seconds everywhere, as in the corpus; `at_s` counts from `START_MS`. A device on line delivers at once and
knows the newest revision; off line it only writes its journal.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from actors.at_rest import device_row, progress_row, session_from
from actors.core.editions import edition
from actors.core.events import Entry, Event
from actors.core.item import Item
from actors.core.progress import Progress
from actors.core.session import Folded, Session
from persistence.checkpoints import DeviceRow, ProgressRow
from persistence.sessions import StoredSession

START_MS = 1_772_442_000_000
"""2026-03-02T09:00:00Z, on a whole day of the corpus."""

LECTURE = "lec1"
COURSE = "c1"
BEAT_S = 10


def item(item_id: str = LECTURE, duration_s: float = 3600, **fields: Any) -> Item:
    return Item(item_id, COURSE, "v1", {"v1": round(duration_s * 1000)}, **fields)


class World:
    """One student with a session; `crash` brings it back as of the latest `checkpoint`, through JSON."""

    def __init__(self, *items: Item, student: str = "ana") -> None:
        self.student = student
        self.catalogue = {one.id: one for one in items or (item(),)}
        self.epoch = 1
        self.session = Session(student, self.epoch << 20, frozenset({COURSE}))
        self.devices: dict[str, Device] = {}
        self.progress_rows: dict[str, bytes] = {}
        self.device_rows: dict[str, bytes] = {}

    def device(self, name: str, online: bool = True, skew_s: float = 0) -> "Device":
        device = self.devices[name] = Device(self, name, skew_s)
        if online:
            device.connect(0)
        return device

    def edit(
        self, version: str, duration_s: float, *edits: dict[str, tuple[int, int]], since: str = "v1"
    ) -> None:
        """That version of the lecture, made by these edits (in seconds), is the current one from now on."""
        former = self.catalogue[LECTURE]
        in_ms = [{kind: (a * 1000, b * 1000) for kind, (a, b) in edit.items()} for edit in edits]
        self.catalogue[LECTURE] = replace(
            former,
            version=version,
            durations_ms={**former.durations_ms, version: round(duration_s * 1000)},
            edits={**former.edits, version: edition(since, in_ms)},
        )

    def progress(self, item_id: str = LECTURE) -> Progress:
        return self.session.items[item_id]

    def position_s(self, item_id: str = LECTURE) -> float:
        return self.progress(item_id).position_ms / 1000

    def offered_s(self, item_id: str = LECTURE) -> float | None:
        run = self.progress(item_id).offered(self.catalogue[item_id].duration_ms)
        return None if run is None else run.position_ms / 1000

    def holder(self, item_id: str = LECTURE) -> str:
        progress = self.session.items.get(item_id)
        return progress.head.device if progress and progress.head else ""

    def checkpoint(self) -> None:
        session = self.session
        for item_id in session.dirty_items:
            row = progress_row(self.student, session.items[item_id], self.catalogue[item_id])
            self.progress_rows[item_id] = msgspec.json.encode(row)
        for device_id in session.dirty_devices:
            written = device_row(self.student, session.devices[device_id])
            self.device_rows[device_id] = msgspec.json.encode(written)
            session.devices[device_id].durable_seq = written.durable_seq
        session.dirty_items, session.dirty_devices = (), ()

    def crash(self) -> None:
        """The owner dies: what was not checkpointed is gone, links drop, another epoch takes over."""
        self.epoch += 1
        stored = StoredSession(
            [msgspec.json.decode(row, type=ProgressRow) for row in self.progress_rows.values()],
            [msgspec.json.decode(row, type=DeviceRow) for row in self.device_rows.values()],
            {COURSE},
        )
        self.session = session_from(self.student, stored, self.epoch)
        for device in self.devices.values():
            device.online = False


class Device:
    """One installation: its clocks, its journal, and what its user does."""

    def __init__(self, world: World, name: str, skew_s: float = 0) -> None:
        self.world = world
        self.name = name
        self.skew_s = skew_s
        self.online = False
        self.boot = "b1"
        self.boot_s = 0.0
        self.journal: list[Entry] = []
        self.sent = 0
        self.seen: dict[str, int] = {}
        self.visits = 0
        self.base: dict[str, int] = {}

    # the link

    def connect(self, at_s: float, deliver: bool = True) -> None:
        """The link is up: clocks are stated, the rest of the journal goes up in order."""
        self.online = True
        clock = self.world.session.device(self.name).clock
        wall_ms = self._ms(at_s + self.skew_s)
        clock.connect(self.boot, round((at_s - self.boot_s) * 1000), wall_ms, self._ms(at_s))
        if deliver:
            self.deliver(self.journal[self.sent :], at_s)
        self._look()

    def disconnect(self, at_s: float) -> None:
        self._look()
        self.online = False
        self.world.session.leave(self.name, self._ms(at_s))

    def reboot(self, at_s: float) -> None:
        self.boot, self.boot_s = f"b{at_s}", at_s

    def deliver(self, entries: Iterable[Entry], at_s: float) -> Folded:
        """These entries reach the session; whoever is on line hears of the new heads."""
        entries = list(entries)
        self.sent = max([self.sent, *(entry.seq for entry in entries)])
        folded = self.world.session.apply(self.name, entries, self.world.catalogue, self._ms(at_s))
        for device in self.world.devices.values():
            if device.online:
                device._look()
        return folded

    # the player

    def open(
        self, at_s: float, item_id: str = LECTURE, intent: str = "resume", version: str = "v1"
    ) -> "Visit":
        self.visits += 1
        visit = Visit(self, f"{self.name}-{self.visits}", item_id, version)
        visit.tell("opened", at_s, intent=intent)
        return visit

    def watch(self, at_s: float, from_s: float, to_s: float, item_id: str = LECTURE) -> "Visit":
        """Open, play a span at 1x and close: the commonest visit."""
        visit = self.open(at_s, item_id)
        visit.play(at_s, from_s, to_s)
        visit.close(at_s + to_s - from_s)
        return visit

    def _look(self) -> None:
        self.seen = {name: progress.rev for name, progress in self.world.session.items.items()}

    @staticmethod
    def _ms(at_s: float) -> int:
        return START_MS + round(at_s * 1000)


class Visit:
    """One open player of a device. Every user action takes up what the device knows of the item."""

    def __init__(self, device: Device, session: str, item_id: str, version: str = "v1") -> None:
        self.device = device
        self.session = session
        self.item = item_id
        self.version = version
        self.base_rev = 0

    def play(self, at_s: float, from_s: float, to_s: float, rate: float = 1.0, by: str = "user") -> float:
        """Press play and let it run, in beats; gives when it stopped. The player is left playing."""
        self.act("play", at_s, position_ms=round(from_s * 1000), rate=rate, by=by)
        return self.go_on(at_s, from_s, to_s, rate)

    def go_on(self, at_s: float, from_s: float, to_s: float, rate: float = 1.0) -> float:
        """Play on without any action, in beats."""
        while from_s < to_s:
            until_s = min(from_s + BEAT_S * rate, to_s)
            at_s += (until_s - from_s) / rate
            self.span(at_s, from_s, until_s, rate)
            from_s = until_s
        return at_s

    def span(self, at_s: float, from_s: float, to_s: float, rate: float = 1.0) -> Event:
        """One beat, ending now."""
        spans = {"from_ms": round(from_s * 1000), "to_ms": round(to_s * 1000)}
        return self.tell("played", at_s, rate=rate, **spans)

    def pause(self, at_s: float, position_s: float) -> Event:
        return self.tell("paused", at_s, position_ms=round(position_s * 1000))

    def seek(self, at_s: float, to_s: float) -> Event:
        return self.act("sought", at_s, position_ms=round(to_s * 1000))

    def choose(self, at_s: float, position_s: float) -> Event:
        return self.act("chosen", at_s, position_ms=round(position_s * 1000))

    def undo(self, at_s: float) -> Event:
        return self.act("undone", at_s)

    def reset(self, at_s: float) -> Event:
        return self.act("reset", at_s)

    def mark(self, at_s: float, done: bool) -> Event:
        return self.act("marked", at_s, done=done)

    def answer(self, at_s: float, question: str, value: str) -> Event:
        return self.act("answered", at_s, question=question, value=value)

    def submit(self, at_s: float) -> Event:
        return self.act("submitted", at_s)

    def close(self, at_s: float) -> Event:
        return self.tell("closed", at_s)

    def act(self, kind: str, at_s: float, **fields: Any) -> Event:
        """A user action: it knows what the device has seen of the item."""
        self.base_rev = self.device.seen.get(self.item, 0)
        return self.tell(kind, at_s, **fields)

    def tell(self, kind: str, at_s: float, **fields: Any) -> Event:
        """Write an event to the journal, and deliver it if the link is up."""
        device = self.device
        event = Event(
            seq=len(device.journal) + 1,
            session=self.session,
            item=self.item,
            version=self.version,
            base_rev=self.base_rev,
            kind=kind,  # type: ignore[arg-type]
            mono_ms=round((at_s - device.boot_s) * 1000),
            boot=device.boot,
            wall=datetime.fromtimestamp(START_MS / 1000 + at_s + device.skew_s, UTC),
            **fields,
        )
        device.journal.append(event)
        if device.online:
            device.deliver([event], at_s)
        return event
