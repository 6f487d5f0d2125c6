"""What editing did to an item's content: places and spans of one version as places and spans of another (R9).

An edition says from which version it was made and by which cuts and inserts, in ms of that version. Between
any two versions the way leads back to the latest one they were both made from, and forward from there: back
means that what was inserted is cut and what was cut is inserted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from actors.core.intervals import Intervals, Span
from actors.core.stretch import Stretch


class Piece(NamedTuple):
    """Content [from_ms, to_ms) of one version, which begins at `at_ms` in another."""

    from_ms: int
    to_ms: int
    at_ms: int


class Edition:
    """How a version was made from the version `since`: disjoint cuts and inserts (place, length) in order."""

    def __init__(self, since: str, cuts: Iterable[Span] = (), inserts: Iterable[Span] = ()) -> None:
        self.since = since
        self.cuts = tuple(Intervals(cuts))
        lengths: dict[int, int] = {}
        for at_ms, length_ms in inserts:
            lengths[at_ms] = lengths.get(at_ms, 0) + length_ms
        self.inserts = tuple(sorted(lengths.items()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Edition):
            return NotImplemented
        return (self.since, self.cuts, self.inserts) == (other.since, other.cuts, other.inserts)

    def __hash__(self) -> int:
        return hash((self.since, self.cuts, self.inserts))

    def __repr__(self) -> str:
        return f"Edition({self.since!r}, {self.cuts}, {self.inserts})"

    def place(self, place_ms: int) -> int:
        """Where a place is now. One inside a cut is at the cut, one at an insert before it."""
        shift_ms = sum(length_ms for at_ms, length_ms in self.inserts if at_ms < place_ms)
        shift_ms -= sum(min(place_ms, end) - start for start, end in self.cuts if start < place_ms)
        return place_ms + shift_ms

    def pieces(self, from_ms: int, to_ms: int) -> Iterator[Piece]:
        """What is left of a span, in order, and where it is now."""
        for start, end in Intervals(self.cuts).gaps(from_ms, to_ms):
            points = [at_ms for at_ms, _ in self.inserts if start < at_ms < end]
            for a, b in zip([start, *points], [*points, end], strict=True):
                shift_ms = sum(length_ms for at_ms, length_ms in self.inserts if at_ms <= a)
                shift_ms -= sum(cut_end - cut_start for cut_start, cut_end in self.cuts if cut_end <= a)
                yield Piece(a, b, a + shift_ms)

    @cached_property
    def undone(self) -> "Edition":
        """The edition that leads back; its own `since` is of no account."""
        cuts = [(self.place(at_ms), self.place(at_ms) + length_ms) for at_ms, length_ms in self.inserts]
        inserts = [(self.place(start), end - start) for start, end in self.cuts]
        return Edition("", cuts, inserts)


@dataclass(frozen=True, slots=True)
class Way:
    """The way from one version to another, which lasts `duration_ms`: nothing lies behind its end."""

    steps: Sequence[Edition]
    duration_ms: int

    def place(self, place_ms: int) -> int:
        """Where a place of the one version is in the other."""
        for step in self.steps:
            place_ms = step.place(place_ms)
        return min(place_ms, self.duration_ms)

    def pieces(self, from_ms: int, to_ms: int) -> list[Piece]:
        """What the other version still has of a span, in order."""
        found = [Piece(from_ms, to_ms, from_ms)]
        for step in self.steps:
            found = [part for piece in found for part in _through(step, piece)]
        last_ms = self.duration_ms
        within = (piece for piece in found if piece.at_ms < last_ms)
        return [p._replace(to_ms=min(p.to_ms, p.from_ms + last_ms - p.at_ms)) for p in within]

    def spans(self, spans: Intervals) -> Intervals:
        """What the other version still has of a set."""
        pieces = (piece for start, end in spans for piece in self.pieces(start, end))
        return Intervals((at_ms, at_ms + to_ms - from_ms) for from_ms, to_ms, at_ms in pieces)

    def stretches(self, played: Stretch) -> list[Stretch]:
        """The play of what the other version still has, each part when it was played.

        Play of nothing that is left is a stretch without content: it was played all the same (R5).
        """
        length_ms, lasted_ms = played.to_ms - played.from_ms, played.end_ms - played.start_ms
        parts = [
            played._replace(
                from_ms=at_ms,
                to_ms=at_ms + to_ms - from_ms,
                start_ms=played.start_ms + lasted_ms * (from_ms - played.from_ms) // length_ms,
                end_ms=played.start_ms + lasted_ms * (to_ms - played.from_ms) // length_ms,
            )
            for from_ms, to_ms, at_ms in (self.pieces(played.from_ms, played.to_ms) if length_ms else ())
        ]
        place_ms = self.place(played.to_ms)
        return parts or [played._replace(from_ms=place_ms, to_ms=place_ms)]


def _through(step: Edition, piece: Piece) -> Iterator[Piece]:
    """The piece after one more step, in places of where it came from."""
    back_ms = piece.from_ms - piece.at_ms
    for part in step.pieces(piece.at_ms, piece.to_ms - back_ms):
        yield Piece(part.from_ms + back_ms, part.to_ms + back_ms, part.at_ms)


def edition(since: str, edits: Iterable[Mapping[str, Sequence[int]]]) -> Edition:
    """The edition that these edits make: each `{"cut": [from, to]}` or `{"insert": [at, length]}`, in ms."""
    listed = list(edits)
    cuts = [(edit["cut"][0], edit["cut"][1]) for edit in listed if "cut" in edit]
    inserts = [(edit["insert"][0], edit["insert"][1]) for edit in listed if "insert" in edit]
    return Edition(since, cuts, inserts)


def way(editions: Mapping[str, Edition], old: str, new: str, duration_ms: int) -> Way:
    """The way from the version `old` to `new`; between versions that have nothing to do with each other
    places stay where they are, as far as the new one lasts."""
    back, forth = _ancestry(editions, old), _ancestry(editions, new)
    common = next((version for version in back if version in forth), None)
    if common is None:
        return Way((), duration_ms)
    undone = [editions[version].undone for version in back[: back.index(common)]]
    done = [editions[version] for version in reversed(forth[: forth.index(common)])]
    return Way((*undone, *done), duration_ms)


def _ancestry(editions: Mapping[str, Edition], version: str) -> list[str]:
    """The version and those it was made from, the latest first."""
    line = [version]
    while line[-1] in editions and editions[line[-1]].since not in line:
        line.append(editions[line[-1]].since)
    return line
