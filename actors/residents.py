"""The sessions that live in a shard and the connections attached to them: one batch in, outcomes out.

Synchronous throughout: no await can slip into a merge. Whatever a batch needs is loaded before.
"""

from collections import deque
from collections.abc import Collection, Iterator, KeysView, Mapping
from dataclasses import dataclass, field

import structlog

from actors import presence
from actors.batch import (
    AllApplied,
    AllDurable,
    Apply,
    Attach,
    Attached,
    Close,
    Deliver,
    Detach,
    Operation,
    Outcome,
    Present,
    PullHeads,
    Reattach,
)
from actors.core.events import Event
from actors.core.item import Item
from actors.core.placement import slot_of
from actors.core.session import Folded, Session
from actors.heads import encode, head_of
from actors.messages import Rejected, Resync

log = structlog.get_logger()

REPLACED, RESYNC, DRAIN = 4505, 4006, 4000
"""Close codes of docs/protocol.md that a shard asks for."""

RETIRED_LIVES = 16
"""Earlier incarnations of a gateway that are remembered, so that a late batch of one is known as such."""

Link = tuple[str, int]
"""A connection anywhere: the gateway's actor name and its number there."""


@dataclass(slots=True)
class Resident:
    """A session in memory: its connections by device and since when (server ms), when its enrolments were
    read, when it was last used, and whether a snapshot of it is on its way to Postgres. `hinted` is the item
    of which others were told that a device plays it, by device.
    """

    session: Session
    slot: int
    links: dict[str, Link] = field(default_factory=dict)
    since_ms: dict[str, int] = field(default_factory=dict)
    hinted: dict[str, str] = field(default_factory=dict)
    enrolled_ms: int = 0
    used_ms: int = 0
    writing: bool = False

    def idle(self, now_ms: int, idle_ms: int) -> bool:
        """Whether nothing would be missed if it went: nobody connected, nothing to write or on its way."""
        busy = self.links or self.writing or self.session.dirty
        return not busy and now_ms - self.used_ms > idle_ms


@dataclass(slots=True)
class Turn:
    """What a batch brings about: outcomes by gateway, students to write, and which of them soon.

    `applied` and `durable` are watermarks by gateway and connection: of several the last one counts. What
    devices are `asked` for follows them.
    """

    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    applied: dict[str, dict[int, int]] = field(default_factory=dict)
    durable: dict[str, dict[int, int]] = field(default_factory=dict)
    asked: dict[str, list[Outcome]] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)
    urgent: set[str] = field(default_factory=set)
    entries: int = 0

    def tell(self, link: Link, outcome: Outcome) -> None:
        """Add an outcome for the gateway of a connection."""
        self.outcomes.setdefault(link[0], []).append(outcome)

    def tell_applied(self, link: Link, seq: int) -> None:
        """Everything up to `seq` is in memory."""
        self.applied.setdefault(link[0], {})[link[1]] = seq

    def tell_durable(self, link: Link, seq: int) -> None:
        """Everything up to `seq` is committed."""
        self.durable.setdefault(link[0], {})[link[1]] = seq

    def ask(self, link: Link, outcome: Outcome) -> None:
        """Add an outcome that a device has to hear after the watermarks."""
        self.asked.setdefault(link[0], []).append(outcome)

    def take(self, gateway: str) -> list[Outcome]:
        """All that one gateway has to hear, in order: who is greeted hears that before anything else, and of
        a refusal before `durable` lets the entry go (P23)."""
        told = self.outcomes.pop(gateway, [])
        if (applied := self.applied.pop(gateway, None)) is not None:
            told.append(AllApplied(applied))
        if (durable := self.durable.pop(gateway, None)) is not None:
            told.append(AllDurable(durable))
        told += self.asked.pop(gateway, ())
        return told

    def take_all(self) -> list[tuple[str, list[Outcome]]]:
        """`take` for every gateway."""
        gateways = self.outcomes.keys() | self.applied.keys() | self.durable.keys() | self.asked.keys()
        return [(gateway, self.take(gateway)) for gateway in sorted(gateways)]


class Residents:
    """All sessions of one shard. `catalogue` is kept current by the shard, `continues` too: by slot the
    epoch of its former owner, if that had made durable all that it ever called applied.
    """

    def __init__(self, catalogue: Mapping[str, Item]) -> None:
        self.catalogue = catalogue
        self._by_student: dict[str, Resident] = {}
        self._lives: dict[str, str] = {}
        self._retired: dict[str, deque[str]] = {}
        self._attached: dict[Link, tuple[Resident, str]] = {}
        self._gaps: set[tuple[str, str]] = set()
        self.continues: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._by_student)

    def __contains__(self, student: str) -> bool:
        return student in self._by_student

    def __iter__(self) -> Iterator[Resident]:
        return iter(self._by_student.values())

    def __getitem__(self, student: str) -> Resident:
        return self._by_student[student]

    def find(self, student: str) -> Resident | None:
        """The student's session, if it is here."""
        return self._by_student.get(student)

    @property
    def students(self) -> KeysView[str]:
        """The ids of all who are here."""
        return self._by_student.keys()

    @property
    def connections(self) -> int:
        """How many connections are attached."""
        return len(self._attached)

    def admit(self, session: Session, now_ms: int) -> None:
        """Take in a session that has just been loaded; the one already here stays."""
        student = session.student
        if student not in self._by_student:
            self._by_student[student] = Resident(
                session, slot_of(student), enrolled_ms=now_ms, used_ms=now_ms
            )

    def drop(self, slots: Collection[int]) -> dict[int, list[str]]:
        """Let go of all sessions and connections of these slots, which are another shard's now; gives their
        students. Nobody is told: the gateways attach the connections there."""
        gone: dict[int, list[str]] = {}
        for student, resident in list(self._by_student.items()):
            if resident.slot in slots:
                gone.setdefault(resident.slot, []).append(student)
                del self._by_student[student]
                for link in resident.links.values():
                    self._attached.pop(link, None)
        return gone

    def evict_idle(self, now_ms: int, idle_ms: int) -> int:
        """Let go of sessions that nobody is connected to and that are clean; gives how many."""
        gone = [s for s, resident in self._by_student.items() if resident.idle(now_ms, idle_ms)]
        for student in gone:
            del self._by_student[student]
        return len(gone)

    def run(self, gateway: str, life: str, operations: list[Operation], now_ms: int) -> Turn:
        """Carry out a batch; every student named in it must be resident."""
        turn = Turn()
        if life in self._retired.get(gateway, ()):
            conns = [operation.conn for operation in operations]
            turn.tell((gateway, 0), Close(conns, DRAIN))
            return turn
        self._begin_life(gateway, life, now_ms, turn)
        for operation in operations:
            resident = self._by_student[operation.student]
            resident.used_ms = now_ms
            link = (gateway, operation.conn)
            try:
                self._one(link, resident, operation, now_ms, turn)
            except Exception:  # noqa: BLE001 - a defect of ours must not stop the others
                self._survive(link, resident, operation, turn)
        return turn

    def _begin_life(self, gateway: str, life: str, now_ms: int, turn: Turn) -> None:
        """A gateway that came back as another incarnation has none of its old connections."""
        previous = self._lives.get(gateway)
        if previous == life:
            return
        self._lives[gateway] = life
        if previous is not None:
            self._retired.setdefault(gateway, deque(maxlen=RETIRED_LIVES)).append(previous)
            self.forget(gateway, now_ms, turn)

    def _survive(self, link: Link, resident: Resident, operation: Operation, turn: Turn) -> None:
        """A defect of ours met an entry: refuse that one, ask for the rest again, harm nobody else (F28)."""
        device_id = self._device_of(link)
        log.exception("operation_failed", student=operation.student, device=device_id)
        if device_id is None or not isinstance(operation, Apply):
            return
        device = resident.session.device(device_id)
        seq, conn = device.applied_seq, link[1]
        message = "the server could not fold this entry; it is in the server's log"
        turn.tell(link, Deliver([conn], encode(Rejected(seq, "internal", message))))
        turn.tell(link, Deliver([conn], encode(Resync(seq + 1, resident.session.slot_epoch, "lost"))))
        turn.dirty.add(operation.student)

    def forget(self, gateway: str, now_ms: int, turn: Turn) -> None:
        """A gateway is gone, or came back as another incarnation: its connections are no more."""
        for link in [link for link in self._attached if link[0] == gateway]:
            self._detach(link, self._attached[link][0], now_ms, turn)

    def acknowledge(self, student: str, watermarks: Mapping[str, int], turn: Turn) -> None:
        """Committed: entries of the student's devices up to these sequence numbers are durable."""
        resident = self._by_student.get(student)
        if resident is None:
            return
        for device_id, seq in watermarks.items():
            device = resident.session.device(device_id)
            device.durable_seq = max(device.durable_seq, seq)
            link = resident.links.get(device_id)
            if link is not None:
                turn.tell_durable(link, device.durable_seq)

    def act(self, student: str, device_id: str, event: Event, now_ms: int) -> tuple[Turn, Folded]:
        """Fold an event that no connection has sent; what it brings about, and what it did."""
        turn, resident = Turn(entries=1), self._by_student[student]
        folded = resident.session.apply(device_id, [event], self.catalogue, now_ms)
        self._mark(resident.session, folded, turn)
        self._push(resident, folded.changed, now_ms, turn)
        return turn, folded

    def edited(self, items: set[str], now_ms: int) -> Turn:
        """These items have another current version: the heads of those who have begun them move (R9)."""
        turn = Turn()
        for resident in self._by_student.values():
            moved = items & resident.session.items.keys()
            if moved and resident.links:
                self._push(resident, moved, now_ms, turn)
                turn.dirty.add(resident.session.student)
        return turn

    def close_gaps(self, now_ms: int) -> Turn:
        """Ask devices whose journals have had a gap for too long to start over (P22)."""
        turn = Turn()
        for student, device_id in list(self._gaps):
            resident = self._by_student.get(student)
            device = resident.session.device(device_id) if resident else None
            if resident is None or device is None or not device.held:
                self._gaps.discard((student, device_id))
            elif device.gap_expired(now_ms):
                device.forget_held()
                link = resident.links.get(device_id)
                if link is not None:
                    turn.tell(link, Close([link[1]], RESYNC))
        return turn

    def _device_of(self, link: Link) -> str | None:
        """The device of a connection, None if the connection is not known (any more)."""
        known = self._attached.get(link)
        return known[1] if known is not None else None

    def _one(self, link: Link, resident: Resident, operation: Operation, now_ms: int, turn: Turn) -> None:
        device_id = self._device_of(link)
        if device_id is not None and isinstance(operation, Apply):
            self._apply(link, resident, device_id, operation, now_ms, turn)
        elif isinstance(operation, Attach):
            self._attach(link, resident, operation, turn)
            if operation.again:
                self._catch_up(link, resident, now_ms, turn)
        elif isinstance(operation, Detach):
            self._detach(link, resident, now_ms, turn)
        elif device_id is None:
            turn.tell(link, Reattach([link[1]]))
        elif isinstance(operation, PullHeads):
            self._pull(link, resident, operation, now_ms, turn)
        elif isinstance(operation, Present):
            if resident.session.stall(device_id, operation.item):
                self._push(resident, {operation.item}, now_ms, turn)
            self._hint(resident, device_id, turn)

    def _attach(self, link: Link, resident: Resident, attach: Attach, turn: Turn) -> None:
        session, said = resident.session, attach.device
        other = resident.links.get(said.id)
        if other is not None and other != link:
            if resident.since_ms[said.id] > attach.received_ms:
                # A late word of an older socket: gateways attach again in any order after a shard's death.
                turn.tell(link, Close([link[1]], REPLACED))
                return
            self._attached.pop(other, None)
            turn.tell(other, Close([other[1]], REPLACED))
        device = session.device(said.id)
        device.forget_held()
        device.kind, device.name = said.kind, said.name
        wall_ms = round(attach.clock.wall.timestamp() * 1000)
        device.clock.connect(attach.clock.boot, attach.clock.mono_ms, wall_ms, attach.received_ms)
        resident.links[said.id] = link
        resident.since_ms[said.id] = attach.received_ms
        self._attached[link] = (resident, said.id)
        turn.tell(
            link,
            Attached(
                conn=link[1],
                epoch=session.slot_epoch,
                applied_seq=device.applied_seq,
                durable_seq=device.durable_seq,
                clock_wrong=device.clock.wrong,
                clock_offset_ms=device.clock.wall_offset_ms,
                continues=self.continues.get(resident.slot, -1),
            ),
        )

    def _catch_up(self, link: Link, resident: Resident, now_ms: int, turn: Turn) -> None:
        """Tell a connection that was unknown for a while of every head that has changed since (P27)."""
        session = resident.session
        for item_id, progress in session.items.items():
            item = self.catalogue.get(item_id)
            if item is not None and progress.rev >= session.rev_floor:
                turn.tell(link, Deliver([link[1]], encode(head_of(session, item, now_ms)), f"head:{item_id}"))

    def _detach(self, link: Link, resident: Resident, now_ms: int, turn: Turn) -> None:
        known = self._attached.pop(link, None)
        if known is None:
            return
        device_id = known[1]
        del resident.links[device_id]
        del resident.since_ms[device_id]
        device = resident.session.device(device_id)
        device.forget_held()
        changed = resident.session.leave(device_id, now_ms)
        if changed:
            self._push(resident, changed, now_ms, turn)
        self._hint(resident, device_id, turn)

    def _apply(
        self, link: Link, resident: Resident, device_id: str, operation: Apply, now_ms: int, turn: Turn
    ) -> None:
        session, conn = resident.session, link[1]
        entries = operation.entries
        folded = session.apply(device_id, entries, self.catalogue, now_ms)
        device = session.device(device_id)
        turn.entries += len(entries)
        if device.held:
            self._gaps.add((session.student, device_id))
        for seq, code, message in folded.refused:
            turn.tell(link, Deliver([conn], encode(Rejected(seq, code, message))))
        turn.tell_applied(link, device.applied_seq)
        if device.durable_seq >= device.applied_seq:
            turn.tell_durable(link, device.durable_seq)
        if folded.gap_from:
            turn.ask(link, Deliver([conn], encode(Resync(folded.gap_from, session.slot_epoch, "gap"))))
        self._mark(session, folded, turn)
        self._push(resident, folded.changed, now_ms, turn)
        if len(resident.links) > 1 and (device_id in resident.hinted or presence.may_turn(entries)):
            self._hint(resident, device_id, turn)

    def _mark(self, session: Session, folded: Folded, turn: Turn) -> None:
        if session.dirty:
            turn.dirty.add(session.student)
            if folded.urgent:
                turn.urgent.add(session.student)

    def _pull(self, link: Link, resident: Resident, pull: PullHeads, now_ms: int, turn: Turn) -> None:
        for item_id in pull.items:
            item = self.catalogue.get(item_id)
            if item is not None and item.course in resident.session.enrolled:
                frame = encode(head_of(resident.session, item, now_ms))
                turn.tell(link, Deliver([link[1]], frame, f"head:{item_id}"))

    def _hint(self, resident: Resident, device_id: str, turn: Turn) -> None:
        """Tell the student's other connections of a player that no head shows."""
        others = [link for device, link in resident.links.items() if device != device_id]
        if not others:
            resident.hinted.pop(device_id, None)
            return
        for said in presence.hints(resident.session, device_id, resident.hinted):
            frame = encode(said)
            for link in others:
                turn.tell(link, Deliver([link[1]], frame, f"presence:{device_id}:{said.item}"))

    def _push(self, resident: Resident, items: set[str], now_ms: int, turn: Turn) -> None:
        """Tell every connection of the student about heads that changed: encoded once for all."""
        if not items or not resident.links:
            return
        by_gateway: dict[str, list[int]] = {}
        for gateway, conn in resident.links.values():
            by_gateway.setdefault(gateway, []).append(conn)
        for item_id in items:
            item = self.catalogue.get(item_id)
            if item is None:
                continue
            frame = encode(head_of(resident.session, item, now_ms))
            for gateway, conns in by_gateway.items():
                turn.tell((gateway, 0), Deliver(conns, frame, f"head:{item_id}"))


def needed_items(operation: Operation) -> Collection[str]:
    """The items an operation names, for the catalogue to hold before it runs."""
    if isinstance(operation, Apply):
        events = operation.events
        return (events[0].item,) if len(events) == 1 else {event.item for event in events}
    if isinstance(operation, PullHeads):
        return operation.items
    if isinstance(operation, Present):
        return (operation.item,)
    return ()
