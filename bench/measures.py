"""What is measured in the end: distributions of times, and what a part of a run cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Times:
    """A distribution of times in s; of none all are 0."""

    count: int
    p50_s: float
    p99_s: float
    max_s: float

    @classmethod
    def of(cls, ordered: Sequence[float]) -> "Times":
        """From times in ascending order."""
        if not ordered:
            return cls(0, 0.0, 0.0, 0.0)
        return cls(len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.99), ordered[-1])


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed (nearest rank)."""
    rank = max(1, -(-len(ordered) * round(share * 10_000) // 10_000))
    return ordered[rank - 1]


@dataclass(frozen=True, slots=True)
class Phase:
    """What the server spent in a part of the run: CPU in s of user and system time, by group of processes."""

    seconds: float
    cpu_s: Mapping[str, float]

    @property
    def all_cpu_s(self) -> float:
        """Of all groups."""
        return sum(self.cpu_s.values())
