"""Where a student lives: the fixed slot of a student, and the shard that rendezvous hashing gives a slot."""

from collections.abc import Sequence
from hashlib import blake2b
from zlib import crc32

SLOTS = 256
"""Fixed buckets of students, the unit of fencing and moving (design section 2)."""


def slot_of(student: str) -> int:
    """The slot of a student, 0 to 255; never changes for a given id."""
    return crc32(student.encode()) % SLOTS


def owner_of(slot: int, shards: Sequence[str]) -> str:
    """The shard with the highest weight for the slot: a shard more or less moves 1/n of the slots."""
    return max(shards, key=lambda shard: (_weight(slot, shard), shard))


def place(shards: Sequence[str]) -> list[str]:
    """The owner of each of the 256 slots, by slot number. `shards` must not be empty."""
    return [owner_of(slot, shards) for slot in range(SLOTS)]


def _weight(slot: int, shard: str) -> int:
    return int.from_bytes(blake2b(f"{slot}/{shard}".encode(), digest_size=8).digest())
