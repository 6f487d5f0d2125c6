"""Whose turn it is to be written: who waits in each slot, since when, and whom the next statement carries.

A statement begins when it is full or when the first of those it carries has waited long enough, so a quiet
shard sends few and a busy one sends small ones evenly. The urgent come first; whoever plays on comes when
there is room, or when he has been kept from his turn for `PATIENCE_S`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

PATIENCE_S = 1.0
"""How long after his turn somebody who plays on lets the urgent go first."""

RETRY_S = 0.5
RETRY_MOST_S = 4.0
"""How long a slot waits after a write of unknown outcome: from, doubling, to."""


@dataclass(slots=True)
class SlotQueue:
    """Who of a slot is to be written, by since when (loop time).

    `whole_at` is the moment from which all of them have their turn, `urgent_at` since when the first of the
    urgent waits; 0 when there is none. Nothing is sent before `rest_until`. `writing` are those on their
    way; while there are any the slot has no other turn.
    """

    number: int

    dirty: dict[str, float] = field(default_factory=dict)
    urgent: dict[str, None] = field(default_factory=dict)
    whole_at: float = 0.0
    urgent_at: float = 0.0
    rest_until: float = 0.0
    retry_s: float = RETRY_S
    writing: dict[str, float] = field(default_factory=dict)
    in_flight: bool = False

    def ready(self, now: float) -> bool:
        """Whether somebody here may be written now."""
        if self.in_flight or self.rest_until > now:
            return False
        return bool(self.urgent) or self.whole_due(now)

    def whole_due(self, now: float, overdue_s: float = 0.0) -> bool:
        """Whether it is, or has been for so long, the turn of all who wait here, not of the urgent alone."""
        return 0.0 < self.whole_at <= now - overdue_s and bool(self.dirty)

    def count(self, now: float) -> int:
        """How many may be written now, of a slot that is ready."""
        return len(self.dirty) if self.whole_due(now) else len(self.urgent)

    def waits_from(self, now: float) -> float:
        """Since when the first of those who may be written now could have been."""
        if not self.whole_due(now):
            return self.urgent_at if self.urgent else now
        return min(self.whole_at, self.urgent_at) if self.urgent else self.whole_at

    def hurry(self, students: Iterable[str], since: float) -> None:
        """These have become urgent; who is so already has waited longer."""
        if not self.urgent:
            self.urgent_at = since
        self.urgent.update(dict.fromkeys(students))

    def took(self, students: Collection[str]) -> None:
        """These have had their turn; of the others some may be due still."""
        for student in students:
            self.urgent.pop(student, None)
        if not self.urgent:
            self.urgent_at = 0.0
        if len(students) == len(self.dirty):
            self.whole_at = 0.0
        self.in_flight = True

    def wait(self, now: float) -> None:
        """The outcome of a write is not known: nothing of the slot before a while is over, then all of it."""
        self.whole_at = self.rest_until = now + self.retry_s
        self.retry_s = min(2 * self.retry_s, RETRY_MOST_S)

    def forget(self, student: str) -> None:
        """There is nothing to write any more."""
        self.dirty.pop(student, None)
        self.urgent.pop(student, None)

    def oldest(self, now: float) -> float:
        """Since when the oldest change here has not been durable."""
        return min([now, *self.dirty.values(), *self.writing.values()])

    def waits_since(self, moment: float, but: Collection[str]) -> bool:
        """Whether a change of anybody but these has not been durable since then."""
        waiting = (*self.dirty.items(), *self.writing.items())
        return any(since <= moment and student not in but for student, since in waiting)


@dataclass(slots=True)
class Turn:
    """Whom one statement is for, with their slots, and which of them were urgent; at most `most` students."""

    most: int
    slots: dict[str, int] = field(default_factory=dict)
    urgent: set[str] = field(default_factory=set)
    queues: list[SlotQueue] = field(default_factory=list)

    def add(self, queue: SlotQueue, students: Iterable[str]) -> None:
        """These of a slot, as far as there is room for those who are not in it yet."""
        for student in students:
            if len(self.slots) >= self.most:
                return
            self.slots[student] = queue.number

    def close(self, queues: Iterable[SlotQueue]) -> None:
        """Nobody comes any more: the slots of those who are in it, of these, have had their turn."""
        chosen: dict[int, list[str]] = {}
        for student, slot in self.slots.items():
            chosen.setdefault(slot, []).append(student)
        self.queues = [queue for queue in queues if queue.number in chosen]
        for queue in self.queues:
            self.urgent.update(queue.urgent.keys() & chosen[queue.number])
            queue.took(chosen[queue.number])


def next_turn(
    queues: Iterable[SlotQueue], now: float, most: int, gather_s: float, last: bool = False
) -> Turn | None:
    """Whom to write now, at most `most` students; None if it is better to wait for more.

    The first of them waits for `gather_s` at most. `last` says that it takes the last writer: that one is
    kept for when somebody is in a hurry.
    """
    ready = [queue for queue in queues if queue.ready(now)]
    if not ready:
        return None
    first = min(queue.waits_from(now) for queue in ready)
    if first > now - gather_s and sum(queue.count(now) for queue in ready) < most:
        return None
    hurried = [queue for queue in ready if queue.urgent or queue.whole_due(now, PATIENCE_S)]
    if last and not hurried:
        return None
    turn = Turn(most)
    for queue in sorted(hurried, key=lambda queue: _place(queue, now)):
        turn.add(queue, queue.dirty if queue.whole_due(now, PATIENCE_S) else queue.urgent)
    for queue in sorted(ready, key=lambda queue: queue.whole_at):
        if queue.whole_due(now):
            turn.add(queue, queue.dirty)
    turn.close(ready)
    return turn


def _place(queue: SlotQueue, now: float) -> float:
    """Who has hurried for longest goes first; playing on for long enough counts as that."""
    overdue = [queue.whole_at + PATIENCE_S] if queue.whole_due(now, PATIENCE_S) else []
    return min([*overdue, queue.urgent_at] if queue.urgent else overdue)
