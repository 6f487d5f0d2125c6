"""R9: places and spans follow the edits of their content, between any two versions."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.editions import Edition, Piece, Way, edition, way
from actors.core.intervals import Intervals, Span
from actors.core.stretch import Stretch

Edits = list[dict[str, tuple[int, int]]]
END = 1000


@st.composite
def edits(draw: st.DrawFn) -> Edits:
    """Disjoint cuts and inserts anywhere in a version of 1000 ms."""
    points = draw(st.lists(st.integers(0, END), max_size=6, unique=True))
    points = sorted(points)[: len(points) // 2 * 2]
    cuts = [{"cut": (a, b)} for a, b in zip(points[::2], points[1::2], strict=True)]
    places = draw(st.lists(st.integers(0, END), max_size=3, unique=True))
    inserts = [{"insert": (at, draw(st.integers(1, 300)))} for at in places]
    return draw(st.permutations([*cuts, *inserts]))


def reference_place(done: Edits, place: float) -> float:
    """The corpus' own word on it (docs/conformance.md, check.py: map_pos)."""
    shift = 0.0
    for edit in done:
        if "cut" in edit:
            start, end = edit["cut"]
            shift -= max(0.0, min(place, end) - start)
        elif edit["insert"][0] < place:
            shift += edit["insert"][1]
    return place + shift


def reference_spans(done: Edits, spans: Sequence[Span]) -> list[Span]:
    """The same for spans (check.py: map_spans)."""
    out: list[Span] = []
    cuts = sorted(edit["cut"] for edit in done if "cut" in edit)
    points = sorted(edit["insert"] for edit in done if "insert" in edit)
    for a, b in spans:
        pieces = [(a, b)]
        for c, d in cuts:
            pieces = [p for x, y in pieces for p in ((x, min(y, c)), (max(x, d), y)) if p[1] > p[0]]
        for at, _ in points:
            pieces = [p for x, y in pieces for p in ((x, min(y, at)), (max(x, at), y)) if p[1] > p[0]]
        for x, y in pieces:
            shift = sum(n for at, n in points if at <= x) - sum(d - c for c, d in cuts if d <= x)
            out.append((x + shift, y + shift))
    return out


def length_after(done: Edits) -> int:
    cut = sum(edit["cut"][1] - edit["cut"][0] for edit in done if "cut" in edit)
    return END - cut + sum(edit["insert"][1] for edit in done if "insert" in edit)


def forth(done: Edits) -> Way:
    return way({"v2": edition("v1", done)}, "v1", "v2", length_after(done))


@given(edits(), st.integers(0, END))
def test_r9_a_place_follows_the_edits(done: Edits, place: int) -> None:
    assert forth(done).place(place) == reference_place(done, place)


@given(edits(), st.lists(st.tuples(st.integers(0, END), st.integers(0, END)), max_size=4))
def test_r9_coverage_follows_the_edits(done: Edits, spans: list[Span]) -> None:
    spans = [(min(span), max(span)) for span in spans]
    expected = Intervals(reference_spans(done, [span for span in spans if span[0] < span[1]]))
    assert forth(done).spans(Intervals(spans)) == expected


@given(edits(), st.integers(0, END), st.integers(0, END))
def test_r9_there_and_back_is_the_same_but_for_what_was_cut(done: Edits, one: int, other: int) -> None:
    editions = {"v2": edition("v1", done)}
    back = way(editions, "v2", "v1", END)
    spans = Intervals([(min(one, other), max(one, other))])
    left = Intervals(spans)
    cuts = Intervals(edit["cut"] for edit in done if "cut" in edit)
    kept = Intervals(part for start, end in left for part in cuts.gaps(start, end))
    assert back.spans(forth(done).spans(spans)) == kept
    inside = any(start < one <= end for start, end in cuts)
    if not inside:
        assert back.place(forth(done).place(one)) == one


def test_r9_a_place_inside_a_cut_is_at_the_cut_and_one_at_an_insert_before_it() -> None:
    done = Edition("v1", cuts=[(100, 200)], inserts=[(300, 50)])
    assert [done.place(at) for at in (100, 150, 200, 250, 300, 301)] == [100, 100, 100, 150, 200, 251]


def test_r9_back_over_an_insert_a_place_inside_it_is_where_it_was_inserted() -> None:
    editions = {"v2": edition("v1", [{"insert": (300, 50)}])}
    back = way(editions, "v2", "v1", END)
    assert [back.place(at) for at in (300, 320, 350, 351)] == [300, 300, 300, 301]


def test_r9_between_branches_the_way_leads_over_what_they_have_in_common() -> None:
    editions = {
        "v2": edition("v1", [{"cut": (0, 100)}]),
        "v3": edition("v2", [{"insert": (0, 40)}]),
        "b2": edition("v2", [{"cut": (500, 600)}]),
        "b3": edition("b2", [{"insert": (100, 7)}]),
    }
    across = way(editions, "v3", "b3", 807)
    assert across.place(140) == 100
    assert across.place(141) == 108
    assert across.place(590) == 507
    assert across.pieces(0, 700) == [Piece(40, 140, 0), Piece(140, 540, 107), Piece(640, 700, 507)]


def test_r9_versions_that_have_nothing_in_common_keep_places_as_far_as_they_last() -> None:
    apart = way({}, "v1", "w1", 500)
    assert (apart.place(400), apart.place(900)) == (400, 500)
    assert apart.spans(Intervals([(0, 300), (400, 700), (800, 900)])) == Intervals([(0, 300), (400, 500)])


def test_r9_play_behind_the_end_of_an_unrelated_version_is_play_at_its_end() -> None:
    apart = way({}, "v1", "w1", 500)
    assert apart.stretches(Stretch(600, 700, 10, 20)) == [Stretch(500, 500, 10, 20)]


def test_a_circle_of_versions_ends_somewhere() -> None:
    editions = {"v1": edition("v2", []), "v2": edition("v1", [])}
    assert way(editions, "v1", "v3", 500).place(400) == 400
    assert way(editions, "v1", "v2", 500).place(400) == 400


def test_r9_what_is_left_of_a_play_keeps_its_own_share_of_the_time() -> None:
    split = forth([{"cut": (200, 600)}, {"insert": (700, 50)}])
    played = Stretch(100, 900, start_ms=10_000, end_ms=10_400, late_ms=3)
    assert split.stretches(played) == [
        Stretch(100, 200, 10_000, 10_050, 3),
        Stretch(200, 300, 10_250, 10_300, 3),
        Stretch(350, 550, 10_300, 10_400, 3),
    ]


@pytest.mark.parametrize("played", [Stretch(300, 500, 10, 20), Stretch(400, 400, 10, 20)])
def test_r9_play_of_what_was_cut_is_play_at_the_cut(played: Stretch) -> None:
    assert forth([{"cut": (200, 600)}]).stretches(played) == [Stretch(200, 200, 10, 20)]


def test_two_inserts_at_one_place_are_one() -> None:
    made = edition("v1", [{"insert": (10, 5)}, {"insert": (10, 3)}])
    assert made == Edition("v1", inserts=[(10, 8)])
    assert way({"v2": made}, "v2", "v1", END).spans(Intervals([(0, 30)])) == Intervals([(0, 22)])
