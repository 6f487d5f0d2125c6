"""A storm: many devices lose their connections at once, and all come back; how that is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.measures import Phase
from persistence.errors import SetupError

KINDS = ("cut", "kill", "kill-all")
"""All sockets cut by the load; one gateway process, or all of them, ended by SIGKILL."""

AT_S = 10.0
BACK_S = 120.0
"""Waited for everybody; whoever is not back then is lost."""

BACK_GOAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall happen, at which second of the drive."""

    kind: str
    at_s: float

    @classmethod
    def read(cls, text: str) -> "Plan":
        """From `cut`, `kill@15`, `kill-all@15`. Raises `SetupError`."""
        kind, _, at = text.partition("@")
        try:
            plan = cls(kind, float(at) if at else AT_S)
        except ValueError:
            plan = cls("", 0.0)
        if plan.kind not in KINDS:
            raise SetupError(f"there is no storm {text!r}: say one of {', '.join(KINDS)}, and @SECOND")
        return plan


@dataclass(frozen=True, slots=True)
class Storm:
    """One storm. `struck_s` is monotonic; `phase` from there until all were back.

    `transactions` are Postgres' in that time, `usual_per_s` its rate before; memory is of gateways and
    shards in bytes, before and at its largest.
    """

    plan: Plan
    struck_s: float
    phase: Phase
    transactions: int
    usual_per_s: float
    memory_before: int
    memory_peak: int


@dataclass(frozen=True, slots=True)
class Return:
    """How the devices came back: how many had lost their connection, and s from the blow until a share of
    them had their head again; None if that share never had."""

    lost: int
    back: int
    half_s: float | None
    most_s: float | None
    all_s: float | None

    @classmethod
    def of(cls, lost: int, heads_s: Sequence[float], struck_s: float) -> "Return":
        """From the monotonic times at which each device had a head again."""
        after = sorted(at_s - struck_s for at_s in heads_s if at_s >= struck_s)

        def until(share: float) -> float | None:
            rank = -(-lost * round(share * 100) // 100)
            return after[rank - 1] if lost and rank <= len(after) else None

        return cls(lost, len(after), until(0.5), until(0.95), until(1.0))


def peak(memory: Sequence[tuple[float, Mapping[str, float]]], groups: Sequence[str], since_s: float) -> int:
    """The largest sum of these groups in readings since a time."""
    sums = [sum(by_group.get(group, 0) for group in groups) for at_s, by_group in memory if at_s >= since_s]
    return int(max(sums, default=0))
