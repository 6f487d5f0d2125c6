"""What the server believes of one student and item: read from what it tells devices and writes at rest."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from actors.at_rest import progress_row
from actors.core.item import Item
from actors.core.session import Session
from actors.heads import encode, head_of
from persistence.checkpoints import ProgressRow

DAY_MS = 86_400_000
QUARTER_MS = 900_000
"""Time is kept at rest by quarters of an hour since 1970 (actors/core/progress.py)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Belief:
    """`head` is the message a device that asks would get now, `row` what a checkpoint would write, if any."""

    head: dict[str, Any]
    row: ProgressRow | None

    @property
    def place(self) -> tuple[Any, int, str]:
        """The run that has the head, where it stands, and in which version."""
        run = self.row.merge["head"] if self.row else None
        return (tuple(run) if run else None), self.head["position_ms"], self.head["version"]

    @property
    def wall_ms(self) -> int:
        """True time during which the item was played."""
        return sum(end - start for start, end in self.row.wall) if self.row else 0

    def days(self, zone_ms: int) -> dict[str, float]:
        """Content seconds by calendar day of a zone."""
        days: dict[str, float] = {}
        for quarter, content_ms in self.row.merge["quarters"] if self.row else []:
            day = day_of(quarter * QUARTER_MS, zone_ms)
            days[day] = days.get(day, 0.0) + content_ms / 1000
        return days

    def completions(self, zone_ms: int) -> list[str]:
        """Days on which the passes of this epoch were completed."""
        return [day_of(at_ms, zone_ms) for at_ms in self.row.completions_ms] if self.row else []

    @property
    def in_continue(self) -> bool:
        """Begun, not at its end, and not done or in a later pass that is not yet complete."""
        head = self.head
        if not head["rev"] or not 0 < head["position_ms"] < head["duration_ms"]:
            return False
        completed = len(self.row.completions_ms) if self.row else 0
        return not head["done"] or head["pass"] > completed


def belief_of(session: Session, item: Item, now_ms: int) -> Belief:
    """What the owner of a session believes of an item as of now."""
    head = msgspec.msgpack.decode(encode(head_of(session, item, now_ms)))
    progress = session.items.get(item.id)
    row = None
    if progress is not None:
        written = msgspec.json.encode(progress_row(session.student, progress, item))
        row = msgspec.json.decode(written, type=ProgressRow)
    return Belief(head, row)


def day_of(at_ms: int, zone_ms: int) -> str:
    """The calendar day of a moment in a zone."""
    return (_EPOCH + timedelta(milliseconds=at_ms + zone_ms)).date().isoformat()
