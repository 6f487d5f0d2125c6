"""A session as rows and back: after a death the next owner behaves as the one before would have (R8)."""

from collections.abc import Callable

import msgspec
import pytest

from actors.at_rest import (
    device_row,
    items_from,
    packed_device_row,
    packed_progress_row,
    progress_row,
    session_from,
)
from actors.core.session import REV_SHIFT
from actors.heads import head_of
from persistence.checkpoints import DeviceRow, ProgressRow, pack
from persistence.sessions import StoredItem, StoredSession
from tests.actors.core.devices import COURSE, LECTURE, START_MS, World, item

HOUR = 3600


def test_the_row_of_an_item_has_what_the_columns_say() -> None:
    world = World()
    world.device("W").watch(0, 0, 3600)
    world.devices["W"].watch(2 * HOUR, 0, 120)
    row = progress_row("ana", world.progress(), world.catalogue[LECTURE])
    assert (row.student, row.item, row.course, row.version) == ("ana", LECTURE, COURSE, "v1")
    assert (row.position_ms, row.viewing, row.epoch, row.done) == (120_000, 2, 1, True)
    assert (row.device, row.action_ms, row.rule) == ("W", START_MS + 2 * HOUR * 1000, "R2")
    assert row.completions_ms == [START_MS + 3_240_000]
    assert (row.coverage, row.furthest_ms) == ([(0, 3_600_000)], 3_600_000)
    assert (row.content_ms, len(row.wall)) == (3_720_000, 2)


def test_a_new_epoch_of_the_slot_gives_revisions_above_all_before() -> None:
    session = session_from("ana", StoredSession(), slot_epoch=7)
    assert (session.slot_epoch, session.rev_floor) == (7, 7 << REV_SHIFT)


def test_what_was_applied_and_not_written_is_asked_for_again() -> None:
    world = World()
    phone = world.device("P")
    visit = phone.open(0)
    at_s = visit.play(0, 0, 60)
    world.checkpoint()
    written = world.session.device("P").applied_seq
    visit.go_on(at_s, 60, 300)
    world.crash()
    device = world.session.device("P")
    assert device.applied_seq == device.durable_seq == written
    phone.connect(400, deliver=False)
    phone.deliver(phone.journal, 400)
    assert (world.position_s(), world.progress().content_ms) == (300, 300_000)


def peek(world: World) -> None:
    world.device("W").watch(0, 0, 1200)
    world.device("P").open(2000, intent="bookmark").play(2000, 300, 350)


def peek_goes_on(world: World) -> None:
    visit = world.devices["P"].open(3000, intent="resume")
    visit.session = "P-1"
    visit.go_on(3000, 350, 365)


def unreal(world: World) -> None:
    world.device("W").watch(0, 0, 1200)
    world.device("P").open(2000).play(2000, 300, 304)


def unreal_goes_on(world: World) -> None:
    world.devices["P"].visits = 0
    visit = world.devices["P"].open(3000)
    visit.play(3000, 304, 306)


def two_sides(world: World) -> None:
    one, other = world.device("A", online=False), world.device("B", online=False)
    one.watch(0, 0, 1200)
    other.watch(HOUR, 0, 480)
    other.connect(2 * HOUR)
    one.connect(2 * HOUR)


def third_side(world: World) -> None:
    late = world.device("C", online=False)
    late.watch(HOUR // 2, 2000, 2400)
    late.connect(3 * HOUR)


def rewatch(world: World) -> None:
    world.device("W").watch(0, 0, 3600)
    world.devices["W"].open(2 * HOUR).play(2 * HOUR, 100, 112)


def rewatch_goes_on(world: World) -> None:
    visit = world.devices["W"].open(3 * HOUR)
    visit.session = "W-2"
    visit.go_on(3 * HOUR, 112, 118)


def cleared(world: World) -> None:
    world.device("W").watch(0, 0, 3600)
    world.device("P").open(2 * HOUR).mark(2 * HOUR, done=False)


def undone(world: World) -> None:
    world.devices["P"].open(3 * HOUR).undo(3 * HOUR)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (peek, peek_goes_on),
        (unreal, unreal_goes_on),
        (two_sides, third_side),
        (rewatch, rewatch_goes_on),
        (cleared, undone),
    ],
)
def test_a_restored_session_decides_as_the_one_before(
    before: Callable[[World], None], after: Callable[[World], None]
) -> None:
    lived, died = World(), World()
    for world in (lived, died):
        before(world)
        world.checkpoint()
    died.crash()
    for device in died.devices.values():
        device.connect(2 * HOUR)
    for world in (lived, died):
        after(world)
    heads = [
        head_of(world.session, world.catalogue[LECTURE], START_MS + 4 * HOUR * 1000)
        for world in (lived, died)
    ]
    plain = [msgspec.structs.replace(head, rev=0) for head in heads]
    assert plain[0] == plain[1]
    assert died.offered_s() == lived.offered_s()


def test_rows_survive_json_as_postgres_keeps_it() -> None:
    world = World()
    two_sides(world)
    row = progress_row("ana", world.progress(), world.catalogue[LECTURE])
    assert msgspec.json.decode(msgspec.json.encode(row), type=ProgressRow).position_ms == row.position_ms
    device = device_row("ana", world.session.device("A"))
    again = msgspec.json.decode(msgspec.json.encode(device), type=DeviceRow)
    assert (again.durable_seq, again.visit["visits"]) == (device.durable_seq, [])


def test_what_is_packed_for_postgres_is_the_same_row() -> None:
    world = World()
    two_sides(world)
    progress, device = world.progress(), world.session.device("A")
    row = progress_row("ana", progress, world.catalogue[LECTURE])
    packed = packed_progress_row("ana", progress, world.catalogue[LECTURE])
    assert packed.packed == pack(row.merge) != b""
    assert msgspec.structs.replace(packed, merge=row.merge, packed=b"") == row
    assert (row.viewing, row.done) == (progress.viewing, progress.done)
    visits = device_row("ana", device)
    assert packed_device_row("ana", device).packed == pack(visits.visit)


def test_items_come_by_id_with_the_length_of_every_version() -> None:
    stored = StoredItem("lec1", "c1", "v2", False, {"v1": 1000, "v2": 900})
    found = items_from([stored])["lec1"]
    assert (found.course, found.duration_ms, found.published) == ("c1", 900, False)
    assert found.durations_ms["v1"] == 1000
    assert item().duration_ms == 3_600_000
