"""Checkpoints: the dirty progress of slots written in one fenced statement, so a watermark never lies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec

from persistence import queries
from persistence.changes import HeadChange
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


class ProgressRow(msgspec.Struct, frozen=True, gc=False):
    """One row of `progress`. Spans are half-open, coverage in content ms, wall in ms since 1970 UTC.

    `folded` counts the events it holds: a row is only ever replaced by one that holds more. `packed` is
    `pack(merge)` and goes in its place if it is there.
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
    packed: bytes = b""


class DeviceRow(msgspec.Struct, frozen=True, gc=False):
    """One row of `device_watermark`: all entries up to `durable_seq` are folded into the progress rows.

    `packed` is `pack(visit)` and goes in its place if it is there.
    """

    student: str
    device: str
    durable_seq: int
    visit: Json
    packed: bytes = b""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What slots of one owner have to write at one moment. Rows are unique by key; order does not matter.

    `epochs` are those of the owner by slot, `slots` is the slot of every student named in a row.
    """

    at: datetime
    epochs: Mapping[int, int]
    slots: Mapping[str, int]
    progress: Sequence[ProgressRow] = ()
    devices: Sequence[DeviceRow] = ()
    changes: Sequence[HeadChange] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What a checkpoint came to: progress rows changed, and slots that had a newer epoch.

    Of a fenced slot nothing is written; everything of the others is committed.
    """

    rows: int
    fenced: frozenset[int] = frozenset()


async def write(postgres: Postgres, checkpoint: Checkpoint) -> Written:
    """Commit a checkpoint of any number of slots in one statement. Safe to send again.

    Why one statement for many slots is as safe as one for each: the fence share-locks the lease of every slot
    whose epoch is still the writer's, in the order of slots, and each row is written only if its own slot is
    among them. A takeover (`leases.take`) updates the lease, so it waits until this commits, and its loads
    see all of it; one that came first has changed the epoch, on which the lock looks again after it waited,
    so the slot drops out of the fence and its rows with it. No row depends on another slot's, so it is right
    that the others commit. Takeovers lock in the order of slots too: nobody waits in a circle.

    Raises `StoreUnavailable` if the outcome is unknown, `StoreRefused` if Postgres does not take the rows.
    """
    row = await postgres.row(SQL["write"], *_arguments(checkpoint))
    assert row is not None  # a statement without FROM has one row
    return Written(row["written"], frozenset(checkpoint.epochs).difference(row["standing"]))


pack: Callable[[Json], bytes] = msgspec.msgpack.Encoder().encode
unpack: Callable[[bytes], Json] = msgspec.msgpack.Decoder(dict[str, Any]).decode

PLAIN_COLUMNS = (
    "student",
    "item",
    "course",
    "version",
    "rev",
    "epoch",
    "viewing",
    "position_ms",
    "device",
    "action_ms",
    "rule",
    "done",
    "furthest_ms",
    "content_ms",
    "folded",
)
"""Fields of a progress row that go as they are, in the order of the statement's arguments."""


def _arguments(checkpoint: Checkpoint) -> list[object]:
    rows, devices, changes, slots = (
        checkpoint.progress,
        checkpoint.devices,
        checkpoint.changes,
        checkpoint.slots,
    )
    return [
        checkpoint.at,
        list(checkpoint.epochs),
        list(checkpoint.epochs.values()),
        [slots[row.student] for row in rows],
        *(list(map(attrgetter(name), rows)) for name in PLAIN_COLUMNS),
        [_instants(row.completions_ms) if row.completions_ms else "{}" for row in rows],
        [_multirange(row.coverage) for row in rows],
        [_multirange(row.wall) for row in rows],
        [row.packed or pack(row.merge) for row in rows],
        [slots[row.student] for row in devices],
        [row.student for row in devices],
        [row.device for row in devices],
        [row.durable_seq for row in devices],
        [row.packed or pack(row.visit) for row in devices],
        [slots[change.student] for change in changes],
        *([getattr(change, name) for change in changes] for name in CHANGE_COLUMNS),
        [_json(change.why) for change in changes],
    ]


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _instants(moments_ms: Sequence[int]) -> str:
    return "{" + ",".join(f'"{_instant(ms).isoformat()}"' for ms in moments_ms) + "}"


def _multirange(spans: Spans) -> str:
    if len(spans) == 1:  # as most often
        ((start, end),) = spans
        return f"{{[{start},{end})}}"
    return "{" + ",".join(f"[{start},{end})" for start, end in spans) + "}"


def _json(value: Json) -> str:
    return msgspec.json.encode(value).decode()
