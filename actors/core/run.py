"""A run: what one user action starts, what it knew when it began, and what it has played since."""

from dataclasses import dataclass, field
from typing import NamedTuple

from actors.core.stretch import Stretch

JUMP_MS = 15_000
"""Jump tolerance (docs/sync.md, constants): places nearer than this are one place."""

LOST_MS = 900_000
"""How long before a device's action that may have happened which it had seen and its owner has lost: what is
lost is at most 30 s old when the owner dies (design 4.5), and its user acts on it some minutes later."""

AUTO = "auto"
"""The kind of a run that no user action began: it plays and never becomes real (R1, R10)."""

ADVANCE = "advance"
"""The kind of a run in which the player went on to the next item: it continues a user action (R10)."""

EXPLICIT = frozenset({"sought", "chosen", "undone", "reset"})
"""Kinds by which the user named the place: such a side never stands back (R3)."""

Key = tuple[str, int]
"""Identity of a run: its device and the sequence number of the event that began it."""


class Mark(NamedTuple):
    """A point in the history of an item that devices can know of.

    The event, the revision that told it, and when that was in corrected time.
    """

    device: str
    seq: int
    rev: int
    at_ms: int = 0


@dataclass(slots=True)
class Run:
    """One user action on one device, with the play after it. Times are corrected server ms.

    `moved_ms` is when it last moved; `shown_ms` as of when it stands there, or plays on from there.
    `first_rev` is the revision at which the run became real, 0 before; `last_rev` that of its latest move;
    `lost_rev` is 0, or the least revision after a crash that has lost the one named by `base_rev`.
    `seen_ms` is the server time at which it became real, `real_ms` the corrected time. `viewing` is the pass
    it plays in, of `epoch`; `log` is what it played, in order, and `replayed_ms` how much of a complete pass
    it has replayed in stretches that are no longer kept.
    """

    device: str
    seq: int
    session: str
    kind: str
    base_rev: int
    action_ms: int
    position_ms: int
    moved_ms: int
    shown_ms: int = 0
    epoch: int = 1
    viewing: int = 1
    first_rev: int = 0
    last_rev: int = 0
    seen_ms: int = 0
    real_ms: int = 0
    replayed_ms: int = 0
    playing: bool = False
    rate: float = 1.0
    lost_rev: int = 0
    log: list[Stretch] = field(default_factory=list)

    @property
    def real(self) -> bool:
        """Whether it may move the head (R1)."""
        return self.first_rev > 0

    @property
    def key(self) -> Key:
        """Identity: the device and the sequence number of the action."""
        return (self.device, self.seq)

    @property
    def start_ms(self) -> int:
        """The place in the content where it began."""
        return self.log[0].from_ms if self.log else self.position_ms

    def place_at(self, moment_ms: int) -> int:
        """Where it stood at that moment, as far as its log tells."""
        if moment_ms >= self.moved_ms or not self.log:
            return self.position_ms
        begun = [stretch for stretch in self.log if stretch.start_ms <= moment_ms]
        return begun[-1].place_at(moment_ms) if begun else self.log[0].from_ms

    def knows(self, other: "Run") -> bool:
        """Whether this run's device had seen the other, or comes later in the same journal (docs/sync.md)."""
        if self.device == other.device:
            return self.seq > other.seq
        if not other.real or (self.real and other.base_rev >= self.first_rev):
            return False
        return self.has_seen(other.first_rev, other.real_ms)

    def knows_all(self, other: "Run") -> bool:
        """Whether it knows the other run up to where that stands now."""
        if self.device == other.device:
            return self.seq > other.seq
        return other.real and self.has_seen(other.last_rev, other.moved_ms)

    def has_seen(self, rev: int, at_ms: int) -> bool:
        """Whether its device had seen what was told by that revision, and happened at that time.

        If an owner died with the revision the device had seen, what was told anew since counts as seen when
        it happened within `LOST_MS` before: the device had seen something that was not durable yet.
        """
        if self.base_rev >= rev:
            return True
        lost = self.lost_rev and rev >= self.lost_rev
        return bool(lost) and self.action_ms - LOST_MS <= at_ms <= self.action_ms

    def comes_after(self, mark: Mark) -> bool:
        """Whether it begins after what happened there, as far as its device knew."""
        if self.device == mark.device:
            return self.seq > mark.seq
        return self.has_seen(mark.rev, mark.at_ms)

    def knows_of(self, mark: Mark) -> bool:
        """Whether this run's device had seen what happened there, or did it itself before."""
        if self.device == mark.device and self.seq >= mark.seq:
            return True
        return self.has_seen(mark.rev, mark.at_ms)
