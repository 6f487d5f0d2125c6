"""Does memory grow? A straight line through what was read of each group, after the warm-up."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.overtime import Sample

WARM_UP_SHARE = 1 / 3
"""Of the time watched: caches, journals and Python's arenas fill up first."""

READINGS_MIN = 5
MIB = 1024 * 1024
HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Slope:
    """A line through the memory of one group: at its first and last reading, and how it rises."""

    group: str
    begin_mib: float
    end_mib: float
    mib_per_hour: float

    @property
    def percent_per_hour(self) -> float:
        """Of what it had at the beginning of the line."""
        return 100 * self.mib_per_hour / self.begin_mib if self.begin_mib else 0.0


def fit(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Least squares: the value at 0 and the rise per unit of the first coordinate."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return mean_y - rise * mean_x, rise


def slopes(memory: Sequence[Sample], begin_s: float, end_s: float) -> list[Slope]:
    """One line per group from the end of the warm-up on, the largest first; none of too few readings."""
    warm_s = begin_s + (end_s - begin_s) * WARM_UP_SHARE
    kept = [sample for sample in memory if warm_s <= sample.at_s <= end_s]
    if len(kept) < READINGS_MIN:
        return []
    groups = sorted({group for sample in kept for group in sample.by_group})
    found = [_slope(group, kept) for group in groups]
    total = [Sample(sample.at_s, {"all": sum(sample.by_group.values())}) for sample in kept]
    return [_slope("all", total), *sorted(found, key=lambda slope: -slope.begin_mib)]


def _slope(group: str, kept: Sequence[Sample]) -> Slope:
    points = [(sample.at_s, sample.by_group.get(group, 0.0) / MIB) for sample in kept]
    at_zero, rise = fit(points)
    first_s, last_s = points[0][0], points[-1][0]
    return Slope(group, at_zero + rise * first_s, at_zero + rise * last_s, rise * HOUR_S)
