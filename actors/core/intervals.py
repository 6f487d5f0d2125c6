"""Sets of half-open integer intervals [start, end): coverage in content ms, wall time in real ms."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]


class Intervals:
    """A mutable union of intervals, kept sorted, disjoint and not touching.

    Adding is commutative, associative and idempotent (R5): the set does not depend on the order of arrival.
    """

    __slots__ = ("_ends", "_starts")

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in spans:
            self.add(start, end)

    def __iter__(self) -> Iterator[Span]:
        return zip(self._starts, self._ends, strict=True)

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Intervals({list(self)})"

    def add(self, start: int, end: int, bridge: int = 0) -> None:
        """Unite with [start, end); nothing if it is empty. Gaps of at most `bridge` beside it are filled."""
        if end <= start:
            return
        first = bisect_left(self._ends, start - bridge)
        last = bisect_right(self._starts, end + bridge)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def unite(self, other: "Intervals") -> None:
        """Unite with all of another set."""
        for start, end in other:
            self.add(start, end)

    def length(self) -> int:
        """Total length of the set."""
        return sum(self._ends) - sum(self._starts)

    def end(self) -> int:
        """The last point of the set; 0 if it is empty."""
        return self._ends[-1] if self._ends else 0

    def overlap(self, start: int, end: int) -> int:
        """Length of the part of [start, end) that is in the set."""
        first = bisect_right(self._ends, start)
        covered = 0
        for i in range(first, len(self._starts)):
            if self._starts[i] >= end:
                break
            covered += min(end, self._ends[i]) - max(start, self._starts[i])
        return covered

    def covers(self, other: "Intervals") -> bool:
        """Whether every point of the other set is in this one."""
        return all(self.overlap(start, end) == end - start for start, end in other)

    def gaps(self, start: int, end: int) -> Iterator[Span]:
        """The parts of [start, end) that are not in the set, in order."""
        for i in range(bisect_right(self._ends, start), len(self._starts)):
            if self._starts[i] >= end:
                break
            if self._starts[i] > start:
                yield start, self._starts[i]
            start = self._ends[i]
        if start < end:
            yield start, end

    def near(self, point: int, distance: int) -> bool:
        """Whether the set comes within `distance` of the point."""
        return any(start - distance <= point <= end + distance for start, end in self)

    def copy(self) -> "Intervals":
        """An independent copy."""
        twin = Intervals()
        twin._starts, twin._ends = self._starts.copy(), self._ends.copy()
        return twin
