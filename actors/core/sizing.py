"""How many shards there should be: a band of sessions and CPU, held against what was seen for a while.

As long as the mean of a shard is inside the band nothing changes. Outside of it the number wanted is the one
that brings the mean to the aim, the middle of the band; it follows from the total load alone, so a steady
load is answered once. More shards come when every look of the last `up_after_s` wanted more, and then as many
as the most modest of them; fewer when every look of `down_after_s` wanted fewer. A spike shorter than that,
or a load that swings through the band, changes nothing.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil, inf

STEP_MAX = 0.5
"""At most this share of the shards comes or goes at once, one at least: slots have to move, and figures of a
moment in which much moves say little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The limits. `sessions_*` are sessions in memory per shard, `cpu_*` the share of one core it uses
    (a shard is one process and cannot use more than about 1). Times in s."""

    count_min: int
    count_max: int
    sessions_low: float
    sessions_high: float
    cpu_low: float
    cpu_high: float
    up_after_s: float
    down_after_s: float
    rest_s: float

    def __post_init__(self) -> None:
        if not 1 <= self.count_min <= self.count_max:
            raise ValueError("the least number of shards is 1 or more and not above the greatest")
        if not (0 <= self.sessions_low < self.sessions_high and 0 <= self.cpu_low < self.cpu_high):
            raise ValueError("the low end of a band must lie below its high end")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one shard says: sessions in memory, share of a core since the last look, the node it is on."""

    sessions: int
    cpu: float
    node: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The number of shards there should be, which to drain if that is fewer, and why, for the log."""

    count: int
    drain: tuple[str, ...] = ()
    why: str = ""


class Sizing:
    """Remembers what was wanted lately. Feed it every look; it says when something is to change."""

    def __init__(self, band: Band) -> None:
        self._band = band
        self._wanted: deque[tuple[float, int]] = deque()
        self._since_s = inf
        self._rest_until_s = -inf

    def decide(self, now_s: float, shards: Mapping[str, Sample | None]) -> Decision:
        """What to do at this monotonic time. `shards` has a key for each shard there is, None for one that
        did not answer: it counts as much as the mean of the others, and while one is silent none goes.

        The caller carries a decision out, or not: until then it is made again only after `rest_s`.
        """
        count, band = len(shards), self._band
        heard = [sample for sample in shards.values() if sample is not None]
        if not band.count_min <= count <= band.count_max:
            bounded = min(max(count, band.count_min), band.count_max)
            return self._change(now_s, shards, bounded, "outside of the numbers allowed")
        if not heard or now_s < self._rest_until_s:
            return Decision(count)
        wanted, why = self._want(count, heard)
        self._remember(now_s, wanted)
        up = self._agreed(now_s, band.up_after_s, min)
        down = self._agreed(now_s, band.down_after_s, max)
        if up is not None and up > count:
            return self._change(now_s, shards, up, why)
        if down is not None and down < count and len(heard) == count:
            return self._change(now_s, shards, down, why)
        return Decision(count)

    def rest(self, now_s: float) -> None:
        """Somebody else changed the number: let the figures settle first."""
        self._wanted.clear()
        self._since_s = inf
        self._rest_until_s = now_s + self._band.rest_s

    def _want(self, count: int, heard: list[Sample]) -> tuple[int, str]:
        """The number this look wants; the measure that wants the most shards decides."""
        band = self._band
        sessions = sum(sample.sessions for sample in heard) / len(heard)
        cpu = sum(sample.cpu for sample in heard) / len(heard)
        by_sessions = _fit(count, sessions, band.sessions_low, band.sessions_high)
        by_cpu = _fit(count, cpu, band.cpu_low, band.cpu_high)
        why = f"{sessions:.0f} sessions and {cpu:.2f} cores a shard"
        return min(max(by_sessions, by_cpu, band.count_min), band.count_max), why

    def _remember(self, now_s: float, wanted: int) -> None:
        self._since_s = min(self._since_s, now_s)
        self._wanted.append((now_s, wanted))
        longest_s = max(self._band.up_after_s, self._band.down_after_s)
        while self._wanted[0][0] < now_s - longest_s:
            self._wanted.popleft()

    def _agreed(self, now_s: float, within_s: float, choose: Callable[[Iterable[int]], int]) -> int | None:
        """What all looks of the last `within_s` agree on; None before there were looks for so long."""
        if now_s - self._since_s < within_s:
            return None
        return choose(wanted for at_s, wanted in self._wanted if at_s >= now_s - within_s)

    def _change(self, now_s: float, shards: Mapping[str, Sample | None], count: int, why: str) -> Decision:
        step = max(1, int(len(shards) * STEP_MAX))
        count = min(max(count, len(shards) - step), len(shards) + step)
        self.rest(now_s)
        return Decision(count, _least_missed(shards, len(shards) - count), why)


def _fit(count: int, mean: float, low: float, high: float) -> int:
    """The number of shards that brings the mean to the middle of the band; the present one inside of it."""
    if low <= mean <= high:
        return count
    return ceil(count * mean / ((low + high) / 2) - 1e-9)


def _least_missed(shards: Mapping[str, Sample | None], count: int) -> tuple[str, ...]:
    """Which shards to drain: of the node that has most of them, so that what stays is spread; there the one
    with the fewest sessions; of equal ones the last come."""
    left = dict(shards)
    chosen: list[str] = []
    for _ in range(count):
        nodes = Counter(sample.node for sample in left.values() if sample is not None)
        chosen.append(
            min(
                left,
                key=lambda name: (-nodes[_node(left[name])], _sessions(left[name]), -_number(name), name),
            )
        )
        del left[chosen[-1]]
    return tuple(chosen)


def _node(sample: Sample | None) -> str:
    return sample.node if sample is not None else ""


def _sessions(sample: Sample | None) -> int:
    return sample.sessions if sample is not None else 0


def _number(name: str) -> int:
    digits = name.rpartition(":")[2]
    return int(digits) if digits.isdigit() else 0
