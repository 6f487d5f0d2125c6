"""Sets of half-open integer intervals [start, end): coverage in content ms, wall time in real ms."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]


class Intervals:
    """A mutable union of intervals, kept sorted, disjoint and not touching.

    Adding is commutative, associative and idempotent (R5): the set does not depend on the order of arrival.
    Kept as one tuple of starts and ends in turn: a shard has two sets a student, most of one interval.
    """

    __slots__ = ("_bounds",)

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._bounds: tuple[int, ...] = ()
        for start, end in spans:
            self.add(start, end)

    def __iter__(self) -> Iterator[Span]:
        return zip(self._bounds[::2], self._bounds[1::2], strict=True)

    def __len__(self) -> int:
        return len(self._bounds) // 2

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and self._bounds == other._bounds

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Intervals({list(self)})"

    def spans(self) -> list[Span]:
        """Its intervals in order, a list of the caller's own."""
        bounds = self._bounds
        return [(bounds[0], bounds[1])] if len(bounds) == 2 else list(self)  # one, as most often

    def add(self, start: int, end: int, bridge: int = 0) -> None:
        """Unite with [start, end); nothing if it is empty. Gaps of at most `bridge` beside it are filled."""
        if end <= start:
            return
        bounds = self._bounds
        if not bounds or start - bridge > bounds[-1]:
            self._bounds = (*bounds, start, end)
        elif len(bounds) == 2 and start >= bounds[0]:
            if end > bounds[1]:  # play that goes on, as most often
                self._bounds = (bounds[0], end)
        else:
            self._unite(start, end, bridge)

    def _unite(self, start: int, end: int, bridge: int) -> None:
        bounds = self._bounds
        starts, ends = bounds[::2], bounds[1::2]
        first = bisect_left(ends, start - bridge)
        last = bisect_right(starts, end + bridge)
        if first < last:
            start = min(start, starts[first])
            end = max(end, ends[last - 1])
        self._bounds = (*bounds[: 2 * first], start, end, *bounds[2 * last :])

    def unite(self, other: "Intervals") -> None:
        """Unite with all of another set."""
        for start, end in other:
            self.add(start, end)

    def length(self) -> int:
        """Total length of the set."""
        return sum(self._bounds[1::2]) - sum(self._bounds[::2])

    def end(self) -> int:
        """The last point of the set; 0 if it is empty."""
        return self._bounds[-1] if self._bounds else 0

    def overlap(self, start: int, end: int) -> int:
        """Length of the part of [start, end) that is in the set."""
        covered = 0
        for its_start, its_end in self._after(start):
            if its_start >= end:
                break
            covered += min(end, its_end) - max(start, its_start)
        return covered

    def covers(self, other: "Intervals") -> bool:
        """Whether every point of the other set is in this one."""
        return all(self.overlap(start, end) == end - start for start, end in other)

    def gaps(self, start: int, end: int) -> Iterator[Span]:
        """The parts of [start, end) that are not in the set, in order."""
        for its_start, its_end in self._after(start):
            if its_start >= end:
                break
            if its_start > start:
                yield start, its_start
            start = its_end
        if start < end:
            yield start, end

    def _after(self, point: int) -> Iterator[Span]:
        """The intervals that end after a point."""
        bounds = self._bounds
        for first in range(bisect_right(bounds, point) & ~1, len(bounds), 2):
            if bounds[first + 1] > point:
                yield bounds[first], bounds[first + 1]

    def near(self, point: int, distance: int) -> bool:
        """Whether the set comes within `distance` of the point."""
        return any(start - distance <= point <= end + distance for start, end in self)

    def copy(self) -> "Intervals":
        """An independent copy."""
        twin = Intervals()
        twin._bounds = self._bounds
        return twin
