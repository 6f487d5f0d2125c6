"""How many students and how much of the work each slot has: real ids, the real hash, busy ones too."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from zlib import crc32

BUSY_SHARE, BUSY_WORK = 0.01, 0.20
"""One student in a hundred makes a fifth of the updates (the skew of bench/fleet)."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Per slot: `sessions` (students who have one) and `work` (share of all updates, in students)."""

    sessions: Sequence[float]
    work: Sequence[float]

    def fold(self, slots: int) -> "Crowd":
        """The same students in fewer slots: `crc32 % (k * n) % n == crc32 % n`."""
        sessions, work = [0.0] * slots, [0.0] * slots
        for slot, count in enumerate(self.sessions):
            sessions[slot % slots] += count
            work[slot % slots] += self.work[slot]
        return Crowd(sessions, work)


def gather(students: int, slots: int, seed: int) -> Crowd:
    """The crowd of `students` ids in the largest number of slots that is looked at."""
    counts, busy = [0] * slots, [0] * slots
    for number in range(students):
        counts[crc32(b"student-%d" % number) % slots] += 1
    busy_count = round(students * BUSY_SHARE)
    for number in Random(seed).sample(range(students), busy_count):
        busy[crc32(b"student-%d" % number) % slots] += 1
    one_busy, one_calm = BUSY_WORK / BUSY_SHARE, (1 - BUSY_WORK) / (1 - BUSY_SHARE)
    work = [
        busy_of * one_busy + (count - busy_of) * one_calm for count, busy_of in zip(counts, busy, strict=True)
    ]
    return Crowd([float(count) for count in counts], work)
