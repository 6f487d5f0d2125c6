"""What Postgres says of a student's progress, for tests that must not take a page's word for it."""

from dataclasses import dataclass

from tests.acceptance.system import System

SEAM_MS = 250
"""Less than this between two spans is the player's own positioning: a frame or two, no hole for a student."""


@dataclass(frozen=True, slots=True)
class Record:
    """One student's progress in one item, in ms; `spans` are what was covered."""

    position_ms: int
    content_ms: int
    spans: list[tuple[int, int]]
    device: str

    def covers(self, from_ms: float, to_ms: float, tolerance_ms: float = 1_000) -> bool:
        """Whether one stretch reaches from one place to the other."""
        return any(
            start <= from_ms + tolerance_ms and end >= to_ms - tolerance_ms for start, end in self.spans
        )


async def record(system: System, student: str) -> Record:
    """The row as it is committed now."""
    row = await system.postgres.row(
        "SELECT position_ms, content_ms, coverage, device FROM progress WHERE student = $1", student
    )
    assert row is not None, "nothing is stored of this student"
    spans: list[tuple[int, int]] = []
    for span in row["coverage"]:
        if spans and span.lower - spans[-1][1] <= SEAM_MS:
            spans[-1] = (spans[-1][0], span.upper)
        else:
            spans.append((span.lower, span.upper))
    return Record(row["position_ms"], row["content_ms"], spans, row["device"])


async def position_ms(system: System, student: str) -> int:
    """Where the student stands as it is committed now; 0 if nothing has been yet."""
    query = "SELECT position_ms FROM progress WHERE student = $1"
    return int(await system.postgres.value(query, student) or 0)


async def watermarks(system: System, student: str) -> dict[str, int]:
    """The durable `seq` of each of the student's devices."""
    rows = await system.postgres.rows(
        "SELECT device, durable_seq FROM device_watermark WHERE student = $1", student
    )
    return {row["device"]: row["durable_seq"] for row in rows}
