"""Where a student lives: the slot never changes, shards carry the same, and few slots move."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.placement import SLOTS, TOLERANCE, place, slot_of

NAMES = st.lists(st.integers(0, 60).map("shard:{}".format), min_size=1, max_size=24, unique=True)
COUNTS = st.sampled_from([1, 7, 64, 256, 300])


@st.composite
def changes(draw: st.DrawFn) -> tuple[list[str], list[str], list[float], int]:
    """Shards of now, any former owner of each slot (some are gone), loads, the number of slots."""
    shards, slots = draw(NAMES), draw(COUNTS)
    owners = [*shards, *draw(NAMES), ""]
    former = draw(st.lists(st.sampled_from(owners), min_size=slots, max_size=slots))
    loads = draw(st.lists(st.floats(0, 1000), min_size=slots, max_size=slots))
    return shards, former, loads, slots


def moves(before: Sequence[str], after: Sequence[str]) -> int:
    return sum(old != new for old, new in zip(before, after, strict=True))


def fewest(shards: Sequence[str], former: Sequence[str]) -> int:
    """What cannot be avoided: slots without an owner, and those above an equal share; as many shards as the
    division leaves over may have one more."""
    least, more = divmod(len(former), len(shards))
    held = Counter(former)
    counts = [held[shard] for shard in shards]
    stay = sum(min(count, least) for count in counts)
    return len(former) - stay - min(more, sum(count > least for count in counts))


def test_the_slot_of_a_student_is_written_in_stone() -> None:
    assert [slot_of(student) for student in ("ana", "ben", "student-1", "ü")] == [226, 225, 64, 213]


@given(st.text(min_size=1, max_size=64))
def test_every_student_has_a_slot(student: str) -> None:
    assert 0 <= slot_of(student) < SLOTS


def test_students_are_spread_evenly_over_slots() -> None:
    students = Counter(slot_of(f"student-{n}") for n in range(51_200))
    assert len(students) == SLOTS and max(students.values()) < 2 * 200


@given(changes())
def test_no_shard_has_more_than_one_slot_more_than_another(
    change: tuple[list[str], list[str], list[float], int],
) -> None:
    shards, former, loads, slots = change
    counts = Counter(place(shards, former, loads, slots))
    assert set(counts) <= set(shards)
    assert {counts[shard] for shard in shards} <= {slots // len(shards), -(-slots // len(shards))}


@given(changes())
def test_no_slot_moves_that_need_not(change: tuple[list[str], list[str], list[float], int]) -> None:
    shards, former, loads, slots = change
    assert moves(former, place(shards, former, loads, slots)) == fewest(shards, former)


@given(changes(), st.randoms(use_true_random=False))
def test_the_order_of_shards_does_not_matter(
    change: tuple[list[str], list[str], list[float], int], chance: object
) -> None:
    shards, former, loads, slots = change
    shuffled = sorted(shards, key=lambda _: chance.random())  # type: ignore[attr-defined]
    assert place(shards, former, loads, slots) == place(shuffled, former, loads, slots)


@given(changes())
def test_what_is_placed_well_stays(change: tuple[list[str], list[str], list[float], int]) -> None:
    shards, former, loads, slots = change
    placed = place(shards, former, loads, slots)
    assert place(shards, placed, loads, slots) == placed


def test_one_shard_more_takes_slots_only_to_itself() -> None:
    before = place(["s0", "s1", "s2"])
    after = place(["s0", "s1", "s2", "s3"], before)
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert moved == ["s3"] * 64


def test_a_shard_less_gives_away_only_what_it_had() -> None:
    before = place(["s0", "s1", "s2", "s3"])
    after = place(["s0", "s1", "s3"], before)
    assert {old for old, new in zip(before, after, strict=True) if old != new} == {"s2"}


def test_idle_slots_move_where_they_suffice() -> None:
    before = place(["s0", "s1"], slots=8)
    mine = [slot for slot, owner in enumerate(before) if owner == "s0"]
    loads = [0.0 if slot in mine[:2] else 10.0 for slot in range(8)]
    after = place(["s0", "s1", "s2"], before, loads, slots=8)
    moved = {slot for slot in mine if after[slot] != "s0"}
    assert moved and moved <= set(mine[:2])


def test_busy_slots_move_where_a_shard_would_stay_too_loaded() -> None:
    before = ["s0"] * 8
    loads = [100.0, 100.0, 100.0, 100.0, 0.0, 0.0, 0.0, 0.0]
    after = place(["s0", "s1"], before, loads, slots=8)
    stays = sum(load for owner, load in zip(after, loads, strict=True) if owner == "s0")
    assert stays <= 200 * (1 + TOLERANCE)


def test_what_a_gone_shard_had_is_shared_by_weight() -> None:
    before = ["s0", "gone", "gone", "s1", "gone", "gone"]
    after = place(["s0", "s1"], before, [0.0, 50.0, 40.0, 0.0, 10.0, 0.0], slots=6)
    assert heat(after, [0.0, 50.0, 40.0, 0.0, 10.0, 0.0]) == 50.0
    assert place(["s0", "s1"], before, [90.0, 9.0, 8.0, 1.0, 2.0, 2.0], slots=6)[1:3] == ["s1", "s1"]


@given(st.integers(2, 12), st.lists(st.integers(0, 50), min_size=64, max_size=64))
def test_the_heaviest_shard_is_never_heavier_than_by_numbers_alone(count: int, sessions: list[int]) -> None:
    """All slots are new: weighing them gives at most twice the best that can be."""
    shards = [f"s{n}" for n in range(count)]
    loads = [float(sessions_of) for sessions_of in sessions]
    total: Counter[str] = Counter()
    for owner, load in zip(place(shards, None, loads, 64), loads, strict=True):
        total[owner] += load  # type: ignore[assignment]
    best = max(sum(loads) / count, max(loads))
    assert max(total.values()) <= 2 * best + 1e-6


def heat(owners: Sequence[str], loads: Sequence[float]) -> float:
    total: dict[str, float] = {}
    for owner, load in zip(owners, loads, strict=True):
        total[owner] = total.get(owner, 0.0) + load
    return max(total.values())


@given(st.text(min_size=1, max_size=64))
def test_more_slots_part_a_slot_into_known_ones(student: str) -> None:
    for fewer, more in pairwise((256, 1024, 4096, 16_384)):
        assert slot_of(student, more) % fewer == slot_of(student, fewer)


def test_nothing_can_be_placed_on_no_shards() -> None:
    with pytest.raises(ValueError, match="start at least one"):
        place([])
    with pytest.raises(ValueError, match="each of 256"):
        place(["s0"], ["s0"])
