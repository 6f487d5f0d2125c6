"""Checkpoints: the dirty progress of one slot written in one fenced statement, so a watermark never lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec

from persistence import queries
from persistence.changes import HeadChange
from persistence.errors import Fenced
from persistence.postgres import Postgres

SQL = queries.load("checkpoints")

CHANGE_COLUMNS = (
    "at",
    "student",
    "item",
    "rev",
    "what",
    "rule",
    "device",
    "position_ms",
    "former_ms",
    "done",
    "epoch",
    "viewing",
    "version",
)
"""Fields of a head change in the order of the statement's arguments, but for `why`."""

Spans = Sequence[tuple[int, int]]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProgressRow:
    """One row of `progress`. Spans are half-open, coverage in content ms, wall in ms since 1970 UTC.

    `folded` counts the events it holds: a row is only ever replaced by one that holds more.
    """

    student: str
    item: str
    course: str
    version: str
    rev: int
    epoch: int
    viewing: int
    position_ms: int
    device: str
    action_ms: int
    rule: str
    done: bool
    completions_ms: Sequence[int]
    coverage: Spans
    furthest_ms: int
    content_ms: int
    wall: Spans
    merge: Json
    folded: int = 0


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One row of `device_watermark`: all entries up to `durable_seq` are folded into the progress rows."""

    student: str
    device: str
    durable_seq: int
    visit: Json


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one slot has to write at one moment. Rows are unique by key; order does not matter."""

    slot: int
    epoch: int
    at: datetime
    progress: Sequence[ProgressRow]
    devices: Sequence[DeviceRow]
    changes: Sequence[HeadChange] = ()


async def write(postgres: Postgres, checkpoint: Checkpoint) -> int:
    """Commit a checkpoint; gives the number of progress rows changed. Safe to send again.

    Raises `Fenced` if a newer epoch owns the slot (nothing is written), `StoreUnavailable` if the outcome
    is unknown.
    """
    row = await postgres.row(SQL["write"], *_arguments(checkpoint))
    if row is None or row["fence"] != 1:
        raise Fenced(
            f"slot {checkpoint.slot} is owned under an epoch newer than {checkpoint.epoch}; this shard exits"
        )
    return int(row["written"])


def _arguments(checkpoint: Checkpoint) -> list[object]:
    rows, devices = checkpoint.progress, checkpoint.devices
    plain = ("student", "item", "course", "version", "rev", "epoch", "viewing", "position_ms", "device")
    return [
        checkpoint.slot,
        checkpoint.epoch,
        checkpoint.at,
        *(list(map(attrgetter(name), rows)) for name in plain),
        [_instant(row.action_ms) for row in rows],
        [row.rule for row in rows],
        [row.done for row in rows],
        [_instants(row.completions_ms) for row in rows],
        [_multirange(row.coverage) for row in rows],
        [row.furthest_ms for row in rows],
        [row.content_ms for row in rows],
        [_multirange(row.wall) for row in rows],
        [_json(row.merge) for row in rows],
        [row.folded for row in rows],
        [row.student for row in devices],
        [row.device for row in devices],
        [row.durable_seq for row in devices],
        [_json(row.visit) for row in devices],
        *([getattr(change, name) for change in checkpoint.changes] for name in CHANGE_COLUMNS),
        [_json(change.why) for change in checkpoint.changes],
    ]


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _instants(moments_ms: Sequence[int]) -> str:
    return "{" + ",".join(f'"{_instant(ms).isoformat()}"' for ms in moments_ms) + "}"


def _multirange(spans: Spans) -> str:
    return "{" + ",".join(f"[{start},{end})" for start, end in spans) + "}"


def _json(value: Json) -> str:
    return msgspec.json.encode(value).decode()
