"""Head changes at rest: written once with a checkpoint, read newest first, a page at a time (R4)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from persistence import changes, checkpoints, leases
from persistence.changes import HeadChange
from persistence.checkpoints import Checkpoint, Written
from persistence.postgres import Postgres

NOW = datetime.now(UTC)
SLOT = 77
RUN = {"device": "P", "device_name": "Pad", "kind": "play", "action_ms": 5}


def change(rev: int, **fields: Any) -> HeadChange:
    plain: dict[str, Any] = {
        "at": NOW + timedelta(seconds=rev),
        "student": "ana",
        "item": "lec1",
        "rev": rev,
        "what": "place",
        "rule": "R2",
        "device": "P",
        "position_ms": rev * 1000,
        "former_ms": None,
        "done": False,
        "epoch": 1,
        "viewing": 1,
        "version": "v1",
        "why": {"head": RUN, "former": None, "loser": None},
    }
    return HeadChange(**{**plain, **fields})


async def write(postgres: Postgres, *found: HeadChange, epoch: int | None = None) -> Written:
    if epoch is None:
        epoch = (await leases.take(postgres, [SLOT], "tests"))[SLOT]
    slots = {change.student: SLOT for change in found}
    return await checkpoints.write(postgres, Checkpoint(NOW, {SLOT: epoch}, slots, changes=found))


async def test_changes_come_back_as_they_were_written_newest_first(postgres: Postgres) -> None:
    older = change(1, student="whole", what="done", former_ms=7, done=True, epoch=2, viewing=3, version="v9")
    newer = change(2, student="whole", device="T", rule="R3")
    await write(postgres, older, newer, change(3, student="whole", item="lec2"), change(3))
    assert await changes.of_item(postgres, "whole", "lec1", None, 10) == [newer, older]


async def test_sending_again_is_harmless(postgres: Postgres) -> None:
    twice = [change(1, student="again"), change(1, student="again", what="done")]
    await write(postgres, *twice)
    await write(postgres, *twice, change(2, student="again"))
    found = await changes.of_item(postgres, "again", "lec1", None, 10)
    assert [(one.rev, one.what) for one in found] == [(2, "place"), (1, "place"), (1, "done")]


async def test_f27_a_stale_epoch_writes_no_change(postgres: Postgres) -> None:
    assert await write(postgres, change(1, student="fenced"), epoch=0) == Written(0, frozenset({SLOT}))
    assert await changes.of_item(postgres, "fenced", "lec1", None, 10) == []


async def test_pages_end_between_revisions_and_a_moment_bounds_them(postgres: Postgres) -> None:
    some = [change(rev, student="pages") for rev in range(1, 8)]
    await write(postgres, *some, change(5, student="pages", what="done"))
    first = await changes.of_item(postgres, "pages", "lec1", None, 3)
    assert [one.rev for one in first] == [7, 6, 5, 5]
    second = await changes.of_item(postgres, "pages", "lec1", 5, 3)
    assert [one.rev for one in second] == [4, 3, 2]
    until = await changes.of_item(postgres, "pages", "lec1", None, 2, NOW + timedelta(seconds=2.5))
    assert [one.rev for one in until] == [2, 1]


async def test_a_change_from_before_midnight_of_the_first_can_be_written_after_it(postgres: Postgres) -> None:
    last_month = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(seconds=1)
    late = change(1, student="late", at=last_month)
    await write(postgres, late)
    assert await changes.of_item(postgres, "late", "lec1", None, 1) == [late]


def test_the_fields_are_named_as_the_columns() -> None:
    assert "pass" in msgspec.to_builtins(change(1))
