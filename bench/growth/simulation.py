"""What growth does: how even the shards are, and how many sessions move when shards and nodes come and go."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.growth.students import Crowd
from bench.growth.ways import WAYS, Placed, Way


@dataclass(frozen=True, slots=True)
class Balance:
    """The fullest shard over the mean one, of slots, sessions and work; and how many shards have nothing."""

    slots: float
    sessions: float
    work: float
    empty: int


@dataclass(frozen=True, slots=True)
class Row:
    """One change under one way: share of the sessions that moved, the least share that could, and the balance
    afterwards."""

    way: str
    change: str
    moved: float
    least: float
    balance: Balance


@dataclass(frozen=True, slots=True)
class Evenness:
    """How even shards are with a number of slots."""

    slots: int
    shards: int
    balance: Balance


def balance_of(way: Way, shards: Sequence[int]) -> Balance:
    """How even the shards are now."""
    weights = {"slots": [1.0] * way.slots, "sessions": way.crowd.sessions, "work": way.crowd.work}
    ratios = {}
    empty = 0
    for name, of_slots in weights.items():
        total = dict.fromkeys(shards, 0.0)
        for owner, weight in zip(way.owners, of_slots, strict=True):
            total[owner] += weight
        ratios[name] = max(total.values()) / (sum(of_slots) / len(shards))
        empty = sum(value == 0 for value in total.values()) if name == "slots" else empty
    return Balance(ratios["slots"], ratios["sessions"], ratios["work"], empty)


def moved(way: Way, before: Sequence[int]) -> float:
    """Share of the sessions whose shard is another than before."""
    sessions = way.crowd.sessions
    gone = sum(count for count, old, new in zip(sessions, before, way.owners, strict=True) if old != new)
    return gone / sum(sessions)


def evenness(crowd: Crowd, shards: Sequence[int], slot_counts: Sequence[int]) -> list[Evenness]:
    """How even our placement is for numbers of shards and of slots."""
    return [
        Evenness(slots, count, balance_of(Placed(folded, range(count)), range(count)))
        for slots in slot_counts
        for folded in [crowd.fold(slots)]
        for count in shards
    ]


def changes(crowd: Crowd, shards: int, per_node: int) -> Iterator[Row]:
    """Every change under every way, each from the same beginning."""
    steps = _steps(shards, per_node)
    for kind in WAYS:
        for title, groups in steps:
            way = kind(crowd, range(shards))
            share, least, now = 0.0, 0.0, list(range(shards))
            for change in groups:
                before, count = list(way.owners), len(now)
                now = change(now)
                way.change(now)
                share += moved(way, before)
                least += abs(len(now) - count) / max(len(now), count)
            yield Row(kind.title, title, share, least, balance_of(way, now))


Change = Callable[[list[int]], list[int]]


def _steps(shards: int, per_node: int) -> list[tuple[str, list[Change]]]:
    """Title and the single changes, one after the other. A shard that goes is one in the middle."""
    tenth = max(1, shards // 10)

    def come(count: int) -> Change:
        return lambda now: [*now, *range(max(now) + 1, max(now) + 1 + count)]

    def go(count: int) -> Change:
        return lambda now: now[: len(now) // 2] + now[len(now) // 2 + count :]

    return [
        ("at the start", []),
        ("1 shard more", [come(1)]),
        ("1 shard less", [go(1)]),
        (f"a node more ({per_node} shards)", [come(per_node)]),
        (f"a node less ({per_node} shards)", [go(per_node)]),
        (f"{tenth} more at once", [come(tenth)]),
        (f"{tenth} more, node by node", [come(per_node)] * (tenth // per_node)),
        (f"{tenth} less at once", [go(tenth)]),
        (f"{tenth} less, node by node", [go(per_node)] * (tenth // per_node)),
        ("twice as many", [come(shards)]),
    ]
