"""Interval sets against plain sets of points: whatever is added, in whatever order."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from actors.core.intervals import Intervals, Span

points = st.integers(0, 60)
spans = st.lists(st.tuples(points, points), max_size=20)


def on(parts: list[Span]) -> set[int]:
    return {point for start, end in parts for point in range(start, end)}


@given(spans, st.randoms(use_true_random=False))
def test_r5_a_union_does_not_depend_on_order_or_repetition(parts: list[Span], rng: random.Random) -> None:
    shuffled = [*parts, *parts]
    rng.shuffle(shuffled)
    assert Intervals(shuffled) == Intervals(parts)
    assert on(list(Intervals(parts))) == on(parts)


@given(spans)
def test_kept_sorted_disjoint_and_not_touching(parts: list[Span]) -> None:
    kept = list(Intervals(parts))
    assert all(start < end for start, end in kept)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(kept))
    assert Intervals(parts).length() == len(on(parts))
    assert Intervals(parts).end() == max((end for _, end in kept), default=0)


@given(spans, st.tuples(points, points))
def test_overlap_and_gaps_share_a_span(parts: list[Span], span: Span) -> None:
    kept, (start, end) = Intervals(parts), sorted(span)
    assert kept.overlap(start, end) == len(on(parts) & set(range(start, end)))
    assert on(list(kept.gaps(start, end))) == set(range(start, end)) - on(parts)


@given(spans, spans)
def test_covers_is_inclusion(parts: list[Span], others: list[Span]) -> None:
    assert Intervals(parts).covers(Intervals(others)) == (on(others) <= on(parts))


@given(spans, spans)
def test_unite_is_the_union(parts: list[Span], others: list[Span]) -> None:
    union, untouched = Intervals(parts), Intervals(parts)
    twin = union.copy()
    union.unite(Intervals(others))
    assert on(list(union)) == on(parts) | on(others)
    assert twin == untouched


@given(spans, st.integers(0, 5), st.randoms(use_true_random=False))
def test_bridged_gaps_do_not_depend_on_order(parts: list[Span], bridge: int, rng: random.Random) -> None:
    straight, shuffled = Intervals(), Intervals()
    for start, end in parts:
        straight.add(start, end, bridge)
    rng.shuffle(parts)
    for start, end in parts:
        shuffled.add(start, end, bridge)
    assert straight == shuffled
    kept = list(straight)
    assert all(other[0] - one[1] > bridge for one, other in itertools.pairwise(kept))


def test_near_counts_the_distance_itself() -> None:
    kept = Intervals([(100, 200)])
    assert kept.near(215, 15) and kept.near(85, 15) and kept.near(150, 0)
    assert not kept.near(216, 15) and not kept.near(84, 15)
