"""Where a student lives: the slot never changes, and few slots move when shards come and go."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from actors.core.placement import SLOTS, owner_of, place, slot_of


def test_the_slot_of_a_student_is_written_in_stone() -> None:
    assert [slot_of(student) for student in ("ana", "ben", "student-1", "ü")] == [226, 225, 64, 213]


@given(st.text(min_size=1, max_size=64))
def test_every_student_has_a_slot(student: str) -> None:
    assert 0 <= slot_of(student) < SLOTS


def test_slots_are_spread_evenly() -> None:
    students = Counter(slot_of(f"student-{n}") for n in range(51_200))
    assert len(students) == SLOTS and max(students.values()) < 2 * 200
    owners = Counter(place([f"shard-{n}" for n in range(4)]))
    assert all(40 <= count <= 90 for count in owners.values())


def test_one_shard_more_takes_slots_only_to_itself() -> None:
    before, after = place(["s0", "s1", "s2"]), place(["s0", "s1", "s2", "s3"])
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {"s3"} and len(moved) < SLOTS // 2


def test_the_order_of_shards_does_not_matter() -> None:
    assert all(owner_of(slot, ["a", "b", "c"]) == owner_of(slot, ["c", "a", "b"]) for slot in range(SLOTS))
