"""Where a student lives: the fixed slot of a student, and the shard that has a slot.

The number of slots a shard has never differs by more than one between two shards, and no more slots change
hands than that takes. Rendezvous hashing would spread them by luck: the fullest of 1,000 shards with four
slots each would have three times its share (bench/growth measures it).
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from zlib import crc32

SLOTS = 256
"""Fixed buckets of students, the unit of fencing and moving (design section 2)."""

TOLERANCE = 0.1
"""A shard may have this share more than the mean load before busy slots move instead of idle ones."""


def slot_of(student: str, slots: int = SLOTS) -> int:
    """The slot of a student, 0 to `slots` - 1; never changes for a given id and number of slots."""
    return crc32(student.encode()) % slots


def place(
    shards: Sequence[str],
    former: Sequence[str] | None = None,
    loads: Sequence[float] | None = None,
    slots: int = SLOTS,
) -> list[str]:
    """The owner of each slot, by slot number; depends on nothing but the arguments, not on the order of
    `shards`.

    `former` is the present owner of each slot; "" or a name that is not in `shards` means that the slot needs
    another. `loads` is what each slot weighs (sessions); without it all weigh the same. Every shard gets
    `slots // n` slots or one more, with the fewest moves that allow it. Among the slots of a shard that has
    too many the idle ones go, unless the shard would stay above the mean load; then some busy ones go. What
    goes, the heaviest first, goes to the shard with the least load. Raises `ValueError` for no shards or for
    lists of another length than `slots`.
    """
    names = sorted(set(shards))
    if not names:
        raise ValueError("no shards to place slots on; start at least one")
    weights = [1.0] * slots if loads is None else [max(0.0, load) for load in loads]
    owners = [""] * slots if former is None else list(former)
    if len(owners) != slots or len(weights) != slots:
        raise ValueError(f"owners and loads are needed for each of {slots} slots")
    held = _held(names, owners)
    total = {name: sum(weights[slot] for slot in held[name]) for name in names}
    room = _room(held, total, slots)
    mean = sum(weights) / len(names)
    moving = [slot for slot, owner in enumerate(owners) if owner not in held]
    for name in names:
        if (excess := -room[name]) > 0:
            surplus = total[name] - mean * (1 + TOLERANCE)
            leaving = _leaving(held[name], weights, excess, surplus)
            total[name] -= sum(weights[slot] for slot in leaving)
            moving += leaving
    _settle(moving, owners, weights, total, room)
    return owners


def _held(names: Sequence[str], owners: Sequence[str]) -> dict[str, list[int]]:
    held: dict[str, list[int]] = {name: [] for name in names}
    for slot, owner in enumerate(owners):
        if owner in held:
            held[owner].append(slot)
    return held


def _room(held: dict[str, list[int]], total: dict[str, float], slots: int) -> dict[str, int]:
    """How many slots each shard is to receive; negative: to give. The one more that some have is for those
    that have it now, the less loaded of them first: it saves a move each."""
    least, more = divmod(slots, len(held))
    order = sorted(held, key=lambda name: (-min(len(held[name]), least + 1), total[name], name))
    return {name: least + (rank < more) - len(held[name]) for rank, name in enumerate(order)}


def _leaving(held: Sequence[int], weights: Sequence[float], count: int, surplus: float) -> list[int]:
    """`count` of these slots: the idlest ones, and as few of the busiest as bring `surplus` away."""
    order = sorted(held, key=lambda slot: (weights[slot], slot))
    away = sum(weights[slot] for slot in order[:count])
    busy = 0
    while away < surplus and busy < count:
        busy += 1
        away += weights[order[-busy]] - weights[order[count - busy]]
    return order[: count - busy] + order[len(order) - busy :]


def _settle(
    moving: Sequence[int],
    owners: list[str],
    weights: Sequence[float],
    total: dict[str, float],
    room: dict[str, int],
) -> None:
    """Give the moving slots to who has room, the heaviest first, the least loaded shard first."""
    receivers = [(total[name], -count, name) for name, count in room.items() if count > 0]
    heapify(receivers)
    for slot in sorted(moving, key=lambda slot: (-weights[slot], slot)):
        load, room_left, name = heappop(receivers)
        owners[slot] = name
        if room_left + 1 < 0:
            heappush(receivers, (load + weights[slot], room_left + 1, name))
